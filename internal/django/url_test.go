package django

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// testdata/urlsplit.json is what urllib.parse.urlsplit and geturl of Python
// 3.12, with the bracket check of 3.12.9, answered.
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
	if len(cases) < 100 {
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
		if u.String() != c.Geturl {
			t.Errorf("Urlsplit(%q).String() = %q, want %q", c.URL, u.String(), c.Geturl)
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
		{"xn--exmple-cua.com", []string{"xn--exmple-cua.com"}, true},
		{"localhos\u212A", []string{"*"}, false}, // the Kelvin sign, whose lower case is k
		{"example.com\n", []string{"*"}, false},
		{"example.com:\u0661", []string{"*"}, false}, // a digit, but not an ASCII one
		{".", []string{"*"}, false},
		{"[::FFFF:1.2.3.4]:80", []string{"[::ffff:1.2.3.4]"}, true},
		{"[::1].", []string{"*"}, false},
		{"[1]", []string{"*"}, false},
		{"[:]", []string{"*"}, false},
		{"example.com:99999", []string{"example.com"}, true},
	} {
		if got := ValidHost(test.host, test.allowed); got != test.want {
			t.Errorf("ValidHost(%q, %q) = %v", test.host, test.allowed, got)
		}
	}
}

func TestSplitDomainPort(t *testing.T) {
	for _, test := range []struct{ host, domain, port string }{
		{"Example.COM", "example.com", ""},
		{"example.com:8000", "example.com", "8000"},
		{"example.com.:8000", "example.com", "8000"},
		{"example.com..", "example.com.", ""},
		{"[2001:DB8::1]:443", "[2001:db8::1]", "443"},
		{".:80", "", "80"},
		{":80", "", ""},
		{"example.com:80:80", "", ""},
		{"http://example.com", "", ""},
		{"", "", ""},
	} {
		if domain, port := SplitDomainPort(test.host); domain != test.domain || port != test.port {
			t.Errorf("SplitDomainPort(%q) = %q, %q; want %q, %q", test.host, domain, port, test.domain, test.port)
		}
	}
}

func TestIsSameDomain(t *testing.T) {
	for _, test := range []struct {
		host, pattern string
		want          bool
	}{
		{"example.com", "example.com", true},
		{"example.com", "EXAMPLE.com", true},
		{"EXAMPLE.com", "example.com", false}, // the host is lowered by who calls
		{"a.example.com", ".example.com", true},
		{"example.com", ".example.com", true},
		{"badexample.com", ".example.com", false},
		{".example.com", ".example.com", true},
		{"a.example.com", "example.com", false},
		{"a.example.com:8000", ".example.com:8000", true},
		{"example.com", "", false},
		{"", "", false},
		{"", ".", true},
	} {
		if got := IsSameDomain(test.host, test.pattern); got != test.want {
			t.Errorf("IsSameDomain(%q, %q) = %v", test.host, test.pattern, got)
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
		if again, err := Urlsplit(u.String()); err != nil || again != u {
			t.Fatalf("Urlsplit(%q) = %+v, but put together and split again %+v, %v", s, u, again, err)
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
			if ValidHost(s, []string{"*"}) || port != "" && s != ".:"+port {
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
