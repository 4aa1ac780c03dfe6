package drf

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/unicode/norm"
)

// The two serializers of the model, as the endpoints declare them.
var (
	registerForm = Serializer{
		{
			Name: "username", MaxLength: 150,
			Validators: []Validator{Username}, Unique: "A user with that username already exists.",
		},
		EmailField(CharField{Name: "email", Optional: true, AllowBlank: true, MaxLength: 254}),
		{Name: "password", MaxBytes: 4096},
		{Name: "password2"},
	}
	loginForm = Serializer{{Name: "username"}, {Name: "password", MaxBytes: 4096}}
)

// recorded is a case of the recorded exchanges, as far as it concerns bodies.
type recorded struct {
	Name  string `json:"name"`
	Steps []struct {
		Request struct {
			Method  string            `json:"method"`
			Path    string            `json:"path"`
			Headers map[string]string `json:"headers"`
			JSON    json.RawMessage   `json:"json"`
			Body    string            `json:"body"`
			B64     []byte            `json:"body_b64"`
		} `json:"request"`
		Expect struct {
			Status int `json:"status"`
			JSON   any `json:"json"`
		} `json:"expect"`
	} `json:"steps"`
}

// fillIn puts a name of 11 letters, a number and a float for the variables of the recordings.
var fillIn = strings.NewReplacer("${u}", "uwqzkpvjhgx", `"${#f}"`, "71.25", "${f}", "71.25", `"${#n}"`, "8153", "${n}", "8153")

// TestRecordedBodies runs the bodies sent to the real model through Body and the serializers. What came back
// for the fields must come out, and nothing where the request got past them.
func TestRecordedBodies(t *testing.T) {
	refused, passed := 0, 0
	for _, name := range []string{"parse", "register", "login"} {
		raw, err := os.ReadFile("../../testdata/wire/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		raw = []byte(fillIn.Replace(string(raw)))
		var cases []recorded
		if err := json.Unmarshal(raw, &cases); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			t.Run(c.Name, func(t *testing.T) {
				r, p := runRecorded(t, c)
				refused, passed = refused+r, passed+p
			})
		}
	}
	if refused < 90 || passed < 50 {
		t.Errorf("only %d refused and %d passed bodies were checked", refused, passed)
	}
}

func runRecorded(t *testing.T, c recorded) (refused, passed int) {
	users := map[string]bool{}
	taken := func(_, text string) (bool, error) { return users[norm.NFKC.String(text)], nil }
	for _, step := range c.Steps {
		form, known := map[string]Serializer{"/api/register/": registerForm, "/api/login/": loginForm}[step.Request.Path]
		if !known || step.Request.Method != "POST" {
			continue
		}
		contentType, body := step.Request.Headers["Content-Type"], []byte(step.Request.Body)
		if step.Request.B64 != nil {
			body = step.Request.B64
		}
		if step.Request.JSON != nil {
			contentType, body = "application/json", step.Request.JSON
		}
		status, answer, values := answerTo(t, form, contentType, body, taken)
		want := step.Expect
		if beyondFields(want.Status, want.JSON) {
			if status != 0 {
				t.Errorf("refused a body the model took: %s\n%v", body, answer)
			}
			passed++
			if want.Status == 201 {
				users[norm.NFKC.String(values.Get("username"))] = true
			}
			continue
		}
		refused++
		if status != want.Status {
			t.Errorf("status %d, model %d for %s", status, want.Status, body)
		}
		if diff := cmp.Diff(want.JSON, answer, cmp.FilterValues(isPattern, cmp.Comparer(matchesPattern))); diff != "" {
			t.Errorf("%s\n-model +here\n%s", body, diff)
		}
	}
	return refused, passed
}

// answerTo gives status 0 when the body gets past the serializer.
func answerTo(t *testing.T, form Serializer, contentType string, body []byte, taken Taken) (int, any, Values) {
	t.Helper()
	data, err := Body(contentType, body)
	if err != nil {
		e := err.(*Error)
		return e.Status, throughJSON(t, json.RawMessage(Render(e.Object(), 0))), Values{}
	}
	values, errs, err := form.Run(data, taken)
	if err != nil {
		t.Fatal(err)
	}
	if errs != nil {
		return 400, throughJSON(t, json.RawMessage(Render(errs, 0))), Values{}
	}
	return 0, nil, values
}

// beyondFields reports whether the model answered from behind the serializer's fields: with success, wrong
// credentials, a CSRF failure or a verdict on the password.
func beyondFields(status int, answer any) bool {
	if status != 400 && status != 415 {
		return true
	}
	fields, _ := answer.(map[string]any)
	for _, messages := range fields {
		list, _ := messages.([]any)
		for _, m := range list {
			text, _ := m.(string)
			for _, verdict := range []string{"Passwords do not match", "This password ", "The password is"} {
				if strings.HasPrefix(text, verdict) {
					return true
				}
			}
		}
	}
	return false
}

func isPattern(x, y any) bool {
	for _, v := range []any{x, y} {
		if s, ok := v.(string); ok && (s == "<any>" || strings.HasPrefix(s, "<starts:")) {
			return true
		}
	}
	return false
}

func matchesPattern(x, y any) bool {
	pattern, text := x, y
	if s, ok := y.(string); ok && strings.HasPrefix(s, "<") {
		pattern, text = y, x
	}
	if pattern == "<any>" {
		return true
	}
	start := strings.TrimSuffix(strings.TrimPrefix(pattern.(string), "<starts:"), ">")
	s, ok := text.(string)
	return ok && len(s) > len(start) && strings.HasPrefix(s, start)
}
