package drf

import (
	"regexp"
	"strings"
	"testing"
)

func TestEmail(t *testing.T) {
	label := strings.Repeat("a", 63)
	tests := []struct {
		name, address string
		ok            bool
	}{
		{"plain", "a@b.cd", true},
		{"all characters of an atom", "-!#$%&'*+/=?^_`{}|~0Az@b.cd", true},
		{"atoms with dots", "a.b.c@b.cd", true},
		{"a dot at the beginning", ".a@b.cd", false},
		{"a dot at the end", "a.@b.cd", false},
		{"two dots", "a..b@b.cd", false},
		{"nothing before the @", "@b.cd", false},
		{"nothing after it", "a@", false},
		{"no @", "a.b.cd", false},
		{"two @", "a@b@c.de", false},
		{"empty", "", false},
		{"letters beyond ASCII before the @", "ä@b.cd", false},
		{"letters whose other case is ASCII", "ſK@b.cd", true},
		{"quoted", `"a"@b.cd`, true},
		{"quoted nothing", `""@b.cd`, true},
		{"quoted control characters", "\"\x01\x7f\"@b.cd", true},
		{"a quoted space", `"a b"@b.cd`, false},
		{"an escaped space", `"a\ b"@b.cd`, true},
		{"an escaped quote and an @", `"a\"@"@b.cd`, true},
		{"an escaped line end", "\"a\\\nb\"@b.cd", false},
		{"a quote that is not closed", `"a\"@b.cd`, false},
		{"one quote", `"@b.cd`, false},
		{"localhost", "a@localhost", true},
		{"localhost has case", "a@Localhost", false},
		{"one label", "a@b", false},
		{"a domain in its script", "a@exämple.рф", true},
		{"a domain in Punycode", "a@b.xn--p1ai", true},
		{"an empty Punycode label", "a@b.xn--", false},
		{"a top level with digits", "a@b.c0m", false},
		{"a top level of one letter", "a@b.c", false},
		{"a top level with a hyphen", "a@b.c-d", true},
		{"labels with digits and hyphens", "a@1-2.3--4.cd", true},
		{"a hyphen at the beginning of a label", "a@b.-c.de", false},
		{"a hyphen at the end of a label", "a@b-.cd", false},
		{"an underscore", "a@b_c.de", false},
		{"a dot at the end of the domain", "a@b.cd.", false},
		{"an empty label", "a@b..cd", false},
		{"labels of 63 characters", "a@" + label + "." + label + "." + label, true},
		{"a label of 64", "a@a" + label + ".cd", false},
		{"a top level of 64", "a@b.a" + label, false},
		{"letters beyond the first plane", "a@𝔘.cd", false},
		{"a line after the domain", "a@b.cd\n", false},
		{"an IPv4 address", "a@[127.0.0.1]", true},
		{"an IPv4 address with a leading zero", "a@[127.0.0.01]", false},
		{"an IPv4 address of three", "a@[127.0.1]", false},
		{"an IPv4 address without brackets", "a@127.0.0.1", false},
		{"an IPv6 address", "a@[::1]", true},
		{"an IPv6 address in capitals", "a@[FE80::ABCD]", true},
		{"an IPv6 address with a zone", "a@[fe80::1%eth0]", false},
		{"the longest IPv6 address", "a@[0000:0000:0000:0000:0000:0000:0000:0001]", true},
		{"an IPv6 address that ends in IPv4 and is too long", "a@[0000:0000:0000:0000:0000:ffff:127.000.0.1]", false},
		{"an IPv6 address that ends in IPv4", "a@[::ffff:127.0.0.1]", true},
		{"an IPv6 address with two gaps", "a@[1::2::3]", false},
		{"brackets around a name", "a@[b.cd]", false},
		{"320 characters", strings.Repeat("a", 315) + "@b.cd", true},
		{"321 characters", strings.Repeat("a", 316) + "@b.cd", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Email(tt.address); (got == "") != tt.ok || got != "" && got != emailMessage {
				t.Errorf("Email(%q) = %q", tt.address, got)
			}
		})
	}
}

func TestNormalizeEmail(t *testing.T) {
	for email, want := range map[string]string{
		"":                  "",
		" none ":            " none ",
		" Ada@EXAMPLE.Com ": "Ada@example.com",
		"A@B@C":             "A@B@c",
		"a@":                "a@",
		"a@ΑΣ":              "a@ας",
		"a@ΑΣ.ΑΣΑ":          "a@ασ.ασα",
		"a@İ":               "a@i\u0307",
	} {
		if got := NormalizeEmail(email); got != want {
			t.Errorf("NormalizeEmail(%q) = %q, want %q", email, got, want)
		}
	}
}

// The expressions of the model, as far as Go's regexp has what they need.
var (
	localPart = regexp.MustCompile("^(?i:[-!#$%&'*+/=?^_`{}|~0-9A-Zİı]+(\\.[-!#$%&'*+/=?^_`{}|~0-9A-Zİı]+)*|" +
		`"([\x01-\x08\x0b\x0c\x0e-\x1f!#-\[\]-\x7fİı]|\\[\x01-\x09\x0b\x0c\x0e-\x7fİı])*")$`)
	mailDomain = regexp.MustCompile(`^([a-zA-Z\x{a1}-\x{ffff}0-9-]{1,63}\.)+([a-zA-Z\x{a1}-\x{ffff}-]{2,63}|(?i:xn--[a-z0-9İı]{1,59}))$`)
	addressIP  = regexp.MustCompile(`^\[[A-Fa-f0-9:.]+\]$`)
)

func FuzzEmail(f *testing.F) {
	for _, address := range []string{"a@b.cd", `"a\ "@[::1]`, "ſ@localhost", "a@-b.cd", "a@b.xn--1", "ä@ä.ää", "a@b.cd\n", "A@İ.Σ", "@@", "a@[1.2.3.4]"} {
		f.Add(address)
	}
	f.Fuzz(func(t *testing.T, address string) {
		normal := NormalizeEmail(address)
		if NormalizeEmail(normal) != normal {
			t.Fatalf("%q becomes %q, and that something else", address, normal)
		}
		at := strings.LastIndexByte(address, '@')
		if at < 0 {
			if Email(address) == "" || normal != address {
				t.Fatalf("%q is taken for an address", address)
			}
			return
		}
		local, domain := address[:at], address[at+1:]
		if Email(address) != "" {
			if localPart.MatchString(local) && domain == "localhost" && len(address) <= maxEmail {
				t.Fatalf("%q is refused", address)
			}
			return
		}
		if !localPart.MatchString(local) {
			t.Fatalf("%q is taken for a local part", local)
		}
		if domain != "localhost" && !mailDomain.MatchString(domain) && !addressIP.MatchString(domain) {
			t.Fatalf("%q is taken for a domain", domain)
		}
	})
}
