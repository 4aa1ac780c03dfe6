package django

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// testdata/urlsplit.json is what Python's urllib.parse.urlsplit answered.
func TestUrlsplitIsPythons(t *testing.T) {
	text, err := os.ReadFile("testdata/urlsplit.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		URL, Scheme, Netloc, Path, Query, Fragment, Geturl string
		OK                                                 bool
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 40 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		u, err := Urlsplit(c.URL)
		if (err == nil) != c.OK {
			t.Errorf("Urlsplit(%q): error %v, but Python says ok=%v", c.URL, err, c.OK)
			continue
		}
		if err != nil {
			continue
		}
		if u.Scheme != c.Scheme || u.Netloc != c.Netloc || u.Path != c.Path || u.Query != c.Query || u.Fragment != c.Fragment {
			t.Errorf("Urlsplit(%q) = %+v, want %+v", c.URL, u, c)
		}
		if u.Netloc != "" && u.String() != c.Geturl {
			t.Errorf("Urlsplit(%q).String() = %q, want %q", c.URL, u.String(), c.Geturl)
		}
	}
}

func TestUrlsplitIsAsStrictAboutBracketsAsPythonsNewestIs(t *testing.T) {
	for _, url := range []string{"http://a[::1]", "http://[::1]x", "http://[::1]@x"} {
		if u, err := Urlsplit(url); err == nil {
			t.Errorf("Urlsplit(%q) = %+v", url, u)
		}
	}
}

func TestValidHost(t *testing.T) {
	for _, test := range []struct {
		host    string
		allowed []string
		want    bool
	}{
		{"example.com", []string{"example.com"}, true},
		{"EXAMPLE.com:8000", []string{"example.com"}, true},
		{"example.com.", []string{"example.com"}, true},
		{"example.com", []string{"Example.Com"}, true},
		{"example.com..", []string{"example.com"}, false},
		{"www.example.com", []string{"example.com"}, false},
		{"www.example.com", []string{".example.com"}, true},
		{"a.b.example.com", []string{".example.com"}, true},
		{"example.com", []string{".example.com"}, true},
		{"notexample.com", []string{".example.com"}, false},
		{"example.com.evil", []string{".example.com"}, false},
		{"anything", []string{"*"}, true},
		{"", []string{"*"}, false},
		{"a b", []string{"*"}, false},
		{"a/b", []string{"*"}, false},
		{"user@example.com", []string{"*"}, false},
		{"example.com:port", []string{"*"}, false},
		{"example.com:", []string{"*"}, false},
		{"[::1]", []string{"[::1]"}, true},
		{"[::1]:8000", []string{"[::1]"}, true},
		{"[::1", []string{"*"}, false},
		{"[]", []string{"*"}, false},
		{"::1", []string{"*"}, false},
		{"[::1]x", []string{"*"}, false},
		{"exa_mple.com", []string{"*"}, false},
		{"exämple.com", []string{"*"}, false},
		{"example.com", []string{""}, false},
		{"example.com", nil, false},
	} {
		if got := ValidHost(test.host, test.allowed); got != test.want {
			t.Errorf("ValidHost(%q, %q) = %v", test.host, test.allowed, got)
		}
	}
}

func FuzzUrlsplit(f *testing.F) {
	for _, s := range []string{"http://localhost:3000", "https://[::1]:8/x?y#z", "null", "http://[", "//\u2100"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := Urlsplit(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(u.Netloc, "/?#\t\r\n") || strings.ContainsAny(u.Path, "?#") || strings.Contains(u.Query, "#") {
			t.Fatalf("Urlsplit(%q) = %+v: a part holds what separates parts", s, u)
		}
		if u.Scheme != strings.ToLower(u.Scheme) {
			t.Fatalf("scheme %q is not lower case", u.Scheme)
		}
	})
}

func FuzzSplitDomainPort(f *testing.F) {
	for _, s := range []string{"example.com:80", "[::1]:8000", "[", ":", "a:b", "A."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		domain, port := SplitDomainPort(s)
		if domain == "" {
			if port != "" || ValidHost(s, []string{"*"}) {
				t.Fatalf("%q: port %q without a domain", s, port)
			}
			return
		}
		if strings.ContainsAny(domain, "/@ \t\r\n<>\"'%") || strings.Trim(port, "0123456789") != "" {
			t.Fatalf("SplitDomainPort(%q) = %q, %q", s, domain, port)
		}
		if !ValidHost(s, []string{domain}) {
			t.Fatalf("%q is not allowed by its own domain %q", s, domain)
		}
	})
}
