package drf

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	blankMessage    = "This field may not be blank."
	requiredMessage = "This field is required."
	nullMessage     = "This field may not be null."
	stringMessage   = "Not a valid string."
	nulMessage      = "Null characters are not allowed."
)

// runField sends one member of JSON through a field, or nothing when raw is empty, and gives its text or messages.
func runField(t *testing.T, f CharField, contentType, body string) (string, []string) {
	t.Helper()
	f.Name = "f"
	data, err := Body(contentType, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	values, errs, err := Serializer{f}.Run(data, func(_, text string) (bool, error) { return text == "taken", nil })
	if err != nil {
		t.Fatal(err)
	}
	if errs != nil {
		return "", errs[0].Messages
	}
	if !values.Has("f") {
		return "<absent>", nil
	}
	return values.Get("f"), nil
}

func TestCharField(t *testing.T) {
	tests := []struct {
		name  string
		field CharField
		json  string // the value of the field; empty when it is not there
		want  string
		fails []string
	}{
		{"text is trimmed", CharField{}, `" \u001c\u00a0a b\u3000\n"`, "a b", nil},
		{"text is kept as it is", CharField{KeepSpace: true}, `" a "`, " a ", nil},
		{"a zero-width space is no space", CharField{}, `"\u200b"`, "\u200b", nil},
		{"an integer becomes text", CharField{}, `7`, "7", nil},
		{"a float becomes text", CharField{}, `1e2`, "100.0", nil},
		{"a boolean does not", CharField{}, `true`, "", []string{stringMessage}},
		{"an array does not", CharField{}, `[]`, "", []string{stringMessage}},
		{"an object does not", CharField{}, `{}`, "", []string{stringMessage}},
		{"null does not", CharField{}, `null`, "", []string{nullMessage}},
		{"null where it is allowed", CharField{AllowNull: true}, `null`, "", nil},
		{"absent", CharField{}, ``, "", []string{requiredMessage}},
		{"absent where it is allowed", CharField{Optional: true}, ``, "<absent>", nil},
		{"absent although null is allowed", CharField{AllowNull: true}, ``, "", []string{requiredMessage}},
		{"blank", CharField{}, `""`, "", []string{blankMessage}},
		{"blank is not optional", CharField{Optional: true}, `""`, "", []string{blankMessage}},
		{"blank after trimming", CharField{}, `"\u2028 "`, "", []string{blankMessage}},
		{"spaces are not blank where they are kept", CharField{KeepSpace: true}, `" "`, " ", nil},
		{"blank where it is allowed is not checked further", CharField{AllowBlank: true, MinLength: 3}, `" "`, "", nil},
		{"the longest in characters", CharField{MaxLength: 3}, `"é😀é"`, "é😀é", nil},
		{"too long", CharField{MaxLength: 3}, `"abcd"`, "", []string{"Ensure this field has no more than 3 characters."}},
		{"too long only before trimming", CharField{MaxLength: 3}, `" abc "`, "abc", nil},
		{"too short", CharField{MinLength: 3}, `"ab"`, "", []string{"Ensure this field has at least 3 characters."}},
		{"the longest in bytes", CharField{MaxBytes: 4}, `"éé"`, "éé", nil},
		{"too long in bytes", CharField{MaxBytes: 4}, `"éée"`, "", []string{"Ensure this field has no more than 4 characters."}},
		{"too long is said once", CharField{MaxBytes: 4, MaxLength: 2}, `"abcde"`, "", []string{"Ensure this field has no more than 2 characters."}},
		{"a null character", CharField{}, `"a\u0000"`, "", []string{nulMessage}},
		{"taken", CharField{Unique: "Taken."}, `" taken "`, "", []string{"Taken."}},
		{
			"all messages, validators first",
			CharField{Validators: []Validator{Username, func(string) string { return "No." }}, MaxLength: 3, MinLength: 9},
			`"a\u0000 b"`, "",
			[]string{
				usernameMessage, "No.", "Ensure this field has no more than 3 characters.",
				"Ensure this field has at least 9 characters.", nulMessage,
			},
		},
		{"taken comes after validators", CharField{Unique: "Taken.", Validators: []Validator{func(string) string { return "No." }}, MinLength: 9}, `"taken"`, "", []string{"No.", "Taken.", "Ensure this field has at least 9 characters."}},
		{"an email address", EmailField(CharField{}), `" a@b.cd "`, "a@b.cd", nil},
		{"no email address", EmailField(CharField{}), `7`, "", []string{emailMessage}},
		{"no text where an email address belongs", EmailField(CharField{}), `[]`, "", []string{emailMessage}},
		{"the address is looked at last", EmailField(CharField{MaxLength: 3}), `"abc\u0000"`, "", []string{"Ensure this field has no more than 3 characters.", nulMessage, emailMessage}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := `{"other":1}`
			if tt.json != "" {
				body = `{"f":` + tt.json + `}`
			}
			got, messages := runField(t, tt.field, "application/json", body)
			if diff := cmp.Diff(tt.fails, messages); got != tt.want || diff != "" {
				t.Errorf("got %q, want %q\n%s", got, tt.want, diff)
			}
		})
	}
}

func TestCharFieldInAForm(t *testing.T) {
	file := "--x\r\nContent-Disposition: form-data; name=f; filename=%s\r\n\r\nabc\r\n--x--\r\n"
	tests := []struct {
		name, contentType, body string
		field                   CharField
		want                    string
		fails                   []string
	}{
		{"text", "application/x-www-form-urlencoded", "f=+a+", CharField{}, "a", nil},
		{"absent", "application/x-www-form-urlencoded", "g=", CharField{}, "", []string{requiredMessage}},
		{"empty", "application/x-www-form-urlencoded", "f=", CharField{}, "", []string{blankMessage}},
		{"empty means absent where that is allowed", "application/x-www-form-urlencoded", "f=", CharField{Optional: true}, "<absent>", nil},
		{"empty means null where that is allowed", "application/x-www-form-urlencoded", "f=", CharField{AllowNull: true, Optional: true}, "", nil},
		{"empty means blank where that is allowed", "application/x-www-form-urlencoded", "f=", CharField{AllowBlank: true, AllowNull: true, Optional: true}, "", nil},
		{"spaces are not empty", "application/x-www-form-urlencoded", "f=+", CharField{Optional: true}, "", []string{blankMessage}},
		{"a number is text", "application/x-www-form-urlencoded", "f=1e2", CharField{}, "1e2", nil},
		{"a file", "multipart/form-data; boundary=x", fmt.Sprintf(file, "a"), CharField{}, "", []string{stringMessage}},
		{"a file for an email address", "multipart/form-data; boundary=x", fmt.Sprintf(file, "a"), EmailField(CharField{}), "", []string{emailMessage}},
		{"a file with a blank name", "multipart/form-data; boundary=x", fmt.Sprintf(file, `" "`), CharField{}, "", []string{blankMessage}},
		{"a file with a blank name where space is kept", "multipart/form-data; boundary=x", fmt.Sprintf(file, `" "`), CharField{KeepSpace: true}, "", []string{stringMessage}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, messages := runField(t, tt.field, tt.contentType, tt.body)
			if diff := cmp.Diff(tt.fails, messages); got != tt.want || diff != "" {
				t.Errorf("got %q, want %q\n%s", got, tt.want, diff)
			}
		})
	}
}

func TestSerializerWantsAMapping(t *testing.T) {
	tests := []struct{ name, body, want string }{
		{"null", "null", `{"non_field_errors":["No data provided"]}`},
		{"an array", "[]", `{"non_field_errors":["Invalid data. Expected a dictionary, but got list."]}`},
		{"a text", `""`, `{"non_field_errors":["Invalid data. Expected a dictionary, but got str."]}`},
		{"an integer", "5", `{"non_field_errors":["Invalid data. Expected a dictionary, but got int."]}`},
		{"a float", "5.0", `{"non_field_errors":["Invalid data. Expected a dictionary, but got float."]}`},
		{"a boolean", "false", `{"non_field_errors":["Invalid data. Expected a dictionary, but got bool."]}`},
		{"an empty object has every field missing, in the order of the table", "{}", `{"username":["This field is required."],"password":["This field is required."]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := Body("application/json", []byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			_, errs, err := loginForm.Run(data, nil)
			if got := string(Render(errs, 0)); err != nil || got != tt.want {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
}

func TestSerializerAsksWhetherATextIsTaken(t *testing.T) {
	var asked []string
	broken := errors.New("no database")
	taken := func(field, text string) (bool, error) {
		asked = append(asked, field+"="+text)
		if text == "broken" {
			return false, broken
		}
		return false, nil
	}
	run := func(username string) error {
		data, err := Body("application/json", []byte(`{"username":`+username+`}`))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = registerForm.Run(data, taken)
		return err
	}
	for _, username := range []string{
		`" ada "`, `"a b"`, `""`, `null`, `[]`, `"` + strings.Repeat("a", 151) + `"`, `"a\u0000"`,
	} {
		if err := run(username); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{"username=ada", "username=a b"}, asked); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if err := run(`"broken"`); err != broken {
		t.Errorf("got %v", err)
	}
	data, _ := Body("application/json", []byte(`{"username":"ada"}`))
	if _, _, err := registerForm.Run(data, nil); err == nil {
		t.Error("no error although there was nothing to ask")
	}
}

func TestValues(t *testing.T) {
	data, _ := Body("application/json", []byte(`{"a":"1","b":"","x":"y"}`))
	values, errs, err := Serializer{
		{Name: "a"},
		{Name: "b", AllowBlank: true},
		{Name: "c", Optional: true},
	}.Run(data, nil)
	if errs != nil || err != nil {
		t.Fatal(errs, err)
	}
	for field, want := range map[string]string{"a": "true 1", "b": "true ", "c": "false ", "x": "false "} {
		if got := fmt.Sprint(values.Has(field), " ", values.Get(field)); got != want {
			t.Errorf("%s: %s", field, got)
		}
	}
}

func TestUsername(t *testing.T) {
	for text, ok := range map[string]bool{
		"ada": true, "Ada_99@x.y+z-": true, "ädä": true, "名前": true, "ﬁ": true, "²": true, "½": true, "Ⅷ": true, "٣": true,
		"": false, "a b": false, "a\n": false, "e\u0301": false, "a\u202eb": false, "a/b": false, "😀": false, "a\x00": false, "\u200d": false,
	} {
		if got := Username(text); (got == "") != ok || got != "" && got != usernameMessage {
			t.Errorf("%q: %q", text, got)
		}
	}
}
