package redact

import "testing"

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
