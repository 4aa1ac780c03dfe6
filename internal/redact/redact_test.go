package redact

import (
	"strings"
	"testing"
)

func TestURL(t *testing.T) {
	for url, want := range map[string]string{
		"":                                     "",
		"sqlite:x":                             "sqlite:x",
		"sqlite:a@b":                           "sqlite:a@b",
		"a@b://c":                              "a@b://c",
		"postgres://joe:hush@db/x":             "postgres://…@db/x",
		"postgres://joe:hu%sh@db/x":            "postgres://…@db/x",
		"postgres://joe:hu/s@h@db":             "postgres://…@db",
		"postgres://h":                         "postgres://h",
		"postgres://u:p@h/d?sslmode=require":   "postgres://…@h/d?sslmode=require",
		"postgres://u:p@ss@h:port":             "postgres://…@h:port",
		"postgres:///d?host=h&password=s3cret": "postgres:///d?host=h&password=…",
		"postgres://u@h/d?PASSWORD=s3cret&sslpassword=x&port=1": "postgres://…@h/d?PASSWORD=…&sslpassword=…&port=1",
		"redis://:p@a:1?addr=b:2":                               "redis://…@a:1?addr=b:2",
	} {
		if got := URL(url); got != want {
			t.Errorf("%s: %s, want %s", url, got, want)
		}
	}
}

// dialects are forms in which programs write a password, here TOPSECRET.
var dialects = []string{
	"host=h user=a password=TOPSECRET dbname=d", "host = h password = 'TOPSECRET'", `password="TOP SECRET"`, "Server=h;User Id=a;Password=TOPSECRET",
	"Server=h;Pwd=TOPSECRET", "a:TOPSECRET@h:5432/d", "postgres:/a:TOPSECRET@h/d", "postgres:a:TOPSECRET@h/d", "sqlite://a:TOPSECRET@h/x/d",
	"jdbc:postgresql://h/d?user=a&password=TOPSECRET", "postgresql+psycopg2://a:TOPSECRET@h/d", "postgres://a:TOP/SECRET@h/d", "postgres://a:TOP#SECRET@h/d", "redis://a:TOP SECRET@h", "a:TOP\nSECRET@h",
	"h:6379,password=TOPSECRET", "h:6379,ssl=true,Password=TOPSECRET", ":TOPSECRET@h:6379", "redis:TOPSECRET@h", `{"password": "TOPSECRET"}`,
	"secret_key: TOPSECRET", "api-key=TOPSECRET", "Authorization=TOPSECRET auth=TOPSECRET",
}

func TestMistake_ShowsNoPasswordOfAnyDialect(t *testing.T) {
	for _, value := range dialects {
		if got := Mistake(value); got != "" {
			t.Errorf("%s: %s", value, got)
		}
	}
	for _, value := range []string{
		"postgres://a:TOP SECRET@h/d", "postgres://a:TOP\nSECRET@h/d", "postgres://a:TOPSECRET%40h/d", "postgres://a:TOPSECRET＠h/d", "redis://:TOPSECRET",
	} {
		if got := Mistake(value); got != "" {
			t.Errorf("%s: %s", value, got)
		}
	}
	for _, value := range []string{"", "10/x", "example.com:80", "https://app.example.com/", "Lax", "1h2", "mysql://h/d", "ann@example.com", "[::1]:80"} {
		if got := Mistake(value); got != value {
			t.Errorf("%s is hidden", value)
		}
	}
}

func TestText_EndsBeforeAPassword(t *testing.T) {
	for _, value := range dialects {
		got := Text(`unknown command "` + value + `" for "postern serve"`)
		if strings.Contains(got, "TOP") || strings.Contains(got, "SECRET") || !strings.HasPrefix(got, "unknown command ") {
			t.Errorf("%s: %s", value, got)
		}
	}
	const plain = `unknown flag: --colour; did you mean --csrf-cookie-name?`
	if got := Text(plain); got != plain {
		t.Errorf("%q", got)
	}
}

func TestQuotes_HidesPartsOfTheValueOnly(t *testing.T) {
	got := Quotes(`"TOP\"SEC" is not a network: write "10.0.0.0/8"; "RET@h" is not one`, `a:TOP"SEC,RET@h`)
	if want := `"…" is not a network: write "10.0.0.0/8"; "…" is not one`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
