package postern_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestSurrogates_AreErrorsOfTheFieldThatUsesThem(t *testing.T) {
	t.Parallel()
	h := openServer(t, testConfig(t)).Handler()
	bodies := map[string]string{
		"/api/register/": `{"username":"ada","email":"ada@example.com","password":"tr0ub4dor-x9","password2":"tr0ub4dor-x9"}`,
		"/api/login/":    `{"username":"ada","password":"tr0ub4dor-x9"}`,
	}
	const message = `"Surrogate characters are not allowed: U+D83D."`
	for _, test := range []struct{ path, field, was, want string }{
		{"/api/register/", "username", "ada", `"Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",` + message},
		{"/api/register/", "email", "ada@example.com", message + `,"Enter a valid email address."`},
		{"/api/register/", "password", "tr0ub4dor-x9", message},
		{"/api/register/", "password2", "tr0ub4dor-x9", message},
		{"/api/login/", "username", "ada", message},
		{"/api/login/", "password", "tr0ub4dor-x9", message},
	} {
		body := strings.Replace(bodies[test.path], fmt.Sprintf(`"%s":"%s"`, test.field, test.was), fmt.Sprintf(`"%s":"\ud83d\ud83d"`, test.field), 1)
		code, _, got := put(h, "POST", test.path, body)
		if want := fmt.Sprintf(`{"%s":[%s]}`, test.field, test.want); code != http.StatusBadRequest || string(got) != want {
			t.Errorf("%s of %s: %d %s, want %s", test.field, test.path, code, got, want)
		}
	}
	for _, path := range []string{"/api/register/", "/api/login/"} {
		body := strings.TrimSuffix(bodies[path], "}") + `,"device":"\udc00","\ud83d":[{"\udfff":"\udfff"}]}`
		if code, _, got := put(h, "POST", path, body); code >= http.StatusBadRequest {
			t.Errorf("%s with surrogates that nobody reads: %d %s", path, code, got)
		}
	}
}
