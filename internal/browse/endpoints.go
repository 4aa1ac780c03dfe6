package browse

import "net/http"

// endpoint is what a page says about one endpoint. Its texts are in English,
// the catalogue has them in other languages.
type endpoint struct {
	Path, Name  string
	Method      string // the one method beside OPTIONS
	Description string
	Fields      []field
	Example     string // of a raw body
	Private     bool   // needs a session
}

// field is an input of the form.
type field struct {
	Name, Label, Type, Autocomplete string
	Required                        bool
	MaxLength                       int
	Help                            string
}

var endpoints = []*endpoint{
	{
		Path: "/api/register/", Name: "Register Api", Method: http.MethodPost,
		Description: "Makes a new user and logs it in. The answer sets the session cookie and the CSRF cookie.",
		Fields: []field{
			{Name: "username", Label: "Username", Type: "text", Autocomplete: "username", Required: true, MaxLength: 150, Help: "Letters, digits and @ . + - _ only."},
			{Name: "email", Label: "E-mail address", Type: "email", Autocomplete: "email", MaxLength: 254},
			{Name: "password", Label: "Password", Type: "password", Autocomplete: "new-password", Required: true},
			{Name: "password2", Label: "Password, once more", Type: "password", Autocomplete: "new-password", Required: true},
		},
		Example: "{\n    \"username\": \"\",\n    \"email\": \"\",\n    \"password\": \"\",\n    \"password2\": \"\"\n}",
	},
	{
		Path: "/api/login/", Name: "Login Api", Method: http.MethodPost,
		Description: "Logs a user in by name and password. The answer sets the session cookie and the CSRF cookie.",
		Fields: []field{
			{Name: "username", Label: "Username", Type: "text", Autocomplete: "username", Required: true},
			{Name: "password", Label: "Password", Type: "password", Autocomplete: "current-password", Required: true},
		},
		Example: "{\n    \"username\": \"\",\n    \"password\": \"\"\n}",
	},
	{
		Path: "/api/logout/", Name: "Logout Api", Method: http.MethodPost, Private: true,
		Description: "Ends the session of the request, at once and on every node.",
		Example:     "{}",
	},
	{
		Path: "/api/user/", Name: "User Status Api", Method: http.MethodGet, Private: true,
		Description: "Tells who is logged in.",
	},
	{
		Path: "/api/protected/", Name: "Protected Api", Method: http.MethodGet, Private: true,
		Description: "Greets the user who is logged in, and nobody else.",
	},
}

var byPath = func() map[string]*endpoint {
	m := make(map[string]*endpoint, len(endpoints))
	for _, e := range endpoints {
		m[e.Path] = e
	}
	return m
}()
