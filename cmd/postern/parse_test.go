package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postern-auth/postern"
)

// configText is a configuration as a text, to compare.
func configText(c postern.Config) string {
	var patterns []string
	for _, re := range c.CORS.AllowedOriginRegexes {
		patterns = append(patterns, re.String())
	}
	c.CORS.AllowedOriginRegexes = nil
	return fmt.Sprintf("%+v %q", c, patterns)
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1209600": 14 * 24 * time.Hour, "336h": 14 * 24 * time.Hour, "90s": 90 * time.Second, "1h30m": 90 * time.Minute,
		"0": 0, " 5 ": 5 * time.Second, "9223372036": 9223372036 * time.Second,
	} {
		var o options
		err := duration(func(o *options) *time.Duration { return &o.config.Session.Age }, 0)(&o, given{text: text})
		if err != nil || o.config.Session.Age != want {
			t.Errorf("%q: %s, %v; want %s", text, o.config.Session.Age, err, want)
		}
	}
	for _, text := range []string{"", "soon", "1 h", "14d", "1.5", "-1", "-1s", "9223372037", "99999999999999999999", "9999999h"} {
		var o options
		if err := duration(func(o *options) *time.Duration { return &o.config.Session.Age }, 0)(&o, given{text: text}); err == nil {
			t.Errorf("%q is taken as %s", text, o.config.Session.Age)
		}
	}
}

func TestPreflightAgeOfZeroLeavesTheHeaderOut(t *testing.T) {
	for text, want := range map[string]time.Duration{"0": -1, "0s": -1, "10": 10 * time.Second} {
		var o options
		if err := preflightAge(&o, given{text: text}); err != nil || o.config.CORS.PreflightMaxAge != want {
			t.Errorf("%q: %s, %v; want %s", text, o.config.CORS.PreflightMaxAge, err, want)
		}
	}
}

func TestBooleans(t *testing.T) {
	for text, want := range map[string]bool{
		"true": true, "True": true, "1": true, "yes": true, "ON": true,
		"false": false, "False": false, "0": false, "no": false, "off": false,
	} {
		if got, err := parseBool(text); got != want || err != nil {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"2", "y", "enabled", "tru"} {
		if _, err := parseBool(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestThrottleIsNamedForItsOpposite(t *testing.T) {
	for text, off := range map[string]bool{"on": false, "off": true, "true": false, "0": true} {
		var o options
		if err := settingNamed("THROTTLE").set(&o, given{text: text}); err != nil || o.config.Throttle.Off != off {
			t.Errorf("%q: off %v, %v", text, o.config.Throttle.Off, err)
		}
	}
}

func TestSecureModes(t *testing.T) {
	for text, want := range map[string]postern.SecureMode{
		"auto": postern.SecureAuto, "AUTO": postern.SecureAuto, "true": postern.SecureAlways, "1": postern.SecureAlways,
		"false": postern.SecureNever, "no": postern.SecureNever,
	} {
		var o options
		if err := settingNamed("SESSION_COOKIE_SECURE").set(&o, given{text: text}); err != nil || o.config.Cookie.Secure != want {
			t.Errorf("%q: %q, %v", text, o.config.Cookie.Secure, err)
		}
	}
	if err := settingNamed("SESSION_COOKIE_SECURE").set(&options{}, given{text: "sometimes"}); err == nil {
		t.Error(`"sometimes" is taken`)
	}
}

func TestTrustedProxies(t *testing.T) {
	var o options
	err := trustedProxies(&o, given{text: "10.0.0.0/8, 192.0.2.1,2001:db8::1 ,::ffff:192.0.2.2,fd00::/8,unix"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, prefix := range o.config.TrustedProxies {
		got = append(got, prefix.String())
	}
	want := []string{"10.0.0.0/8", "192.0.2.1/32", "2001:db8::1/128", "192.0.2.2/32", "fd00::/8"}
	if diff := cmp.Diff(want, got); diff != "" || !o.config.TrustUnixPeers {
		t.Errorf("unix %v (-want +got)\n%s", o.config.TrustUnixPeers, diff)
	}
	for text, problem := range map[string]string{
		"10.0.0.1/8":          `write "10.0.0.0/8" for the network or "10.0.0.1" for the host`,
		"*":                   "is not a network",
		"proxy.example":       "is not a network",
		"10.0.0.0/33":         "is not a network",
		"fe80::1%eth0":        "is not a network",
		"::ffff:10.0.0.0/104": "write it as IPv4",
		"a,b":                 `"a" is not a network: write "10.0.0.0/8", "192.0.2.1" or "unix"; "b" is not`,
	} {
		if err := trustedProxies(&options{}, given{text: text}); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%q: %v, want %q", text, err, problem)
		}
	}
}

func TestCommasWithinARegularExpressionAreItsOwn(t *testing.T) {
	for text, want := range map[string][]string{
		`^https://\w{1,3}\.example$`: {`^https://\w{1,3}\.example$`},
		`a{1,3},b`:                   {`a{1,3}`, `b`},
		`[a,b],(c,d) , e`:            {`[a,b]`, `(c,d)`, `e`},
		`a\{,b`:                      {`a\{`, `b`},
		`a,,b,`:                      {`a`, `b`},
		``:                           nil,
	} {
		var o options
		err := settingNamed("CORS_ALLOWED_ORIGIN_REGEXES").set(&o, given{text: text})
		var got []string
		for _, re := range o.config.CORS.AllowedOriginRegexes {
			got = append(got, re.String())
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got)\n%s", text, err, diff)
		}
	}
	err := regexes(func(o *options) *[]*regexp.Regexp { return &o.config.CORS.AllowedOriginRegexes })(&options{}, given{items: []string{"a,(", "b"}, array: true})
	if err == nil || !strings.Contains(err.Error(), `"a,(" is not a regular expression: missing closing )`) {
		t.Errorf("an open group: %v", err)
	}
}

func TestAddresses(t *testing.T) {
	for text, right := range map[string]bool{
		"127.0.0.1:8000": true, ":8000": true, "[::1]:0": true, "localhost:65535": true,
		"": false, "8000": false, "localhost": false, "::1:8000": false, "localhost:": false, "localhost:65536": false, "localhost:http": false, "h:-1": false,
		"[fe80::1%lo]:8000": true, "auth_1.internal:80": true,
		"*:8000": false, ":": false, "http://127.0.0.1:8000": false, "http://:8000": false, "//h:80": false, "[*]:80": false, "127.0.0.1/24:80": false, "a b:80": false, "[127.0.0.1:80": false,
	} {
		if err := settingNamed("ADDR").set(&options{}, given{text: text}); (err == nil) != right {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFileModes(t *testing.T) {
	for text, want := range map[string]uint32{"0660": 0o660, "600": 0o600, "0o666": 0, "9": 0, "01777": 0, "0": 0, "rw": 0} {
		var o options
		err := settingNamed("UNIX_SOCKET_MODE").set(&o, given{text: text})
		if uint32(o.listen.SocketMode) != want || (err == nil) != (want != 0) {
			t.Errorf("%q: %o, %v", text, o.listen.SocketMode, err)
		}
	}
}

// No fuzz target: what it reads comes from the operator, and a build for
// fuzzing would compile all that the command is made of once more.
func TestSplittingOutsideBracketsLosesNothing(t *testing.T) {
	text := rapid.StringOf(rapid.OneOf(rapid.SampledFrom([]rune(",,,\\()[]{}")), rapid.Rune()))
	rapid.Check(t, func(t *rapid.T) {
		s := text.Draw(t, "s")
		parts := splitOutsideBrackets(s)
		if got := strings.Join(parts, ","); got != s {
			t.Errorf("%q came back as %q", s, got)
		}
		if !strings.ContainsAny(s, `\()[]{}`) && len(parts) != strings.Count(s, ",")+1 {
			t.Errorf("%q has %d parts", s, len(parts))
		}
	})
}
