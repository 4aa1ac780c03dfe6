package drf_test

import (
	"fmt"

	"github.com/postern-auth/postern/internal/drf"
)

var signUp = drf.Serializer{
	{Name: "username", MaxLength: 150, Validators: []drf.Validator{drf.Username}, Unique: "A user with that username already exists."},
	drf.EmailField(drf.CharField{Name: "email", Optional: true, AllowBlank: true, MaxLength: 254}),
	{Name: "password"},
}

func ExampleSerializer_Run() {
	data, err := drf.Body("application/json", []byte(`{"username":" ada ","email":"ada@localhost","password":1815}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	taken := func(field, text string) (bool, error) { return text == "charles", nil }
	values, errs, err := signUp.Run(data, taken)
	if errs != nil || err != nil {
		fmt.Println(errs, err)
		return
	}
	fmt.Println(values.Get("username"), values.Get("password"))
	// Output: ada 1815
}

func ExampleErrors() {
	data, _ := drf.Body("application/x-www-form-urlencoded", []byte("username=a+b&email=none"))
	_, errs, _ := signUp.Run(data, func(string, string) (bool, error) { return false, nil })
	fmt.Printf("%s\n", drf.Render(errs, 2))
	// Output:
	// {
	//   "username": [
	//     "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters."
	//   ],
	//   "email": [
	//     "Enter a valid email address."
	//   ],
	//   "password": [
	//     "This field is required."
	//   ]
	// }
}

func ExampleNegotiate() {
	accepted, err := drf.Negotiate("application/json; indent=2", true, "")
	fmt.Println(accepted.Format == drf.JSON, accepted.Indent, err)
	_, err = drf.Negotiate("image/png", true, "")
	fmt.Println(err)
	// Output:
	// true 2 <nil>
	// Could not satisfy the request Accept header.
}

func ExampleBody() {
	_, err := drf.Body("text/plain", []byte("hello"))
	fmt.Printf("%s\n", drf.Render(err.(*drf.Error).Object(), 0))
	// Output: {"detail":"Unsupported media type \"text/plain\" in request."}
}

func ExampleNormalizeEmail() {
	fmt.Println(drf.NormalizeEmail(" Ada@EXAMPLE.com"))
	// Output: Ada@example.com
}
