package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern"
)

// given is the value of a setting as written: a text, or the array of a file.
type given struct {
	text  string
	items []string
	array bool
}

// shown is the value as it stands in an error.
func (g given) shown() string {
	if g.array {
		return strings.Join(g.items, ",")
	}
	return g.text
}

// isQuoted reports whether the value, or one in an array, is in quotation
// marks.
func (g given) isQuoted() bool {
	return slices.ContainsFunc(slices.Concat(g.items, []string{g.text}), func(s string) bool {
		s = strings.TrimSpace(s)
		return len(s) >= 2 && (s[0] == '"' || s[0] == '\'') && s[len(s)-1] == s[0]
	})
}

func (g given) one() (string, error) {
	if g.array {
		return "", errors.New("must be one value, not a list")
	}
	return strings.TrimSpace(g.text), nil
}

// list splits a text at its commas; an array is as it is.
func (g given) list() []string {
	return g.split(strings.FieldsFuncSeq(g.text, func(r rune) bool { return r == ',' }))
}

func (g given) split(parts func(func(string) bool)) []string {
	if g.array {
		parts = slices.Values(g.items)
	}
	var list []string
	for part := range parts {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

// setter puts a value where it belongs. Its error says what is wrong and what
// would be right, without the setting's name and the value.
type setter func(o *options, g given) error

// scalar makes the setter of a single value.
func scalar[T any](field func(*options) *T, parse func(string) (T, error)) setter {
	return func(o *options, g given) error {
		text, err := g.one()
		if err != nil {
			return err
		}
		value, err := parse(text)
		if err != nil {
			return err
		}
		*field(o) = value
		return nil
	}
}

func text(field func(*options) *string) setter {
	return scalar(field, func(s string) (string, error) { return s, nil })
}

func list(field func(*options) *[]string) setter {
	return func(o *options, g given) error {
		*field(o) = g.list()
		return nil
	}
}

// boolean takes what Django's users write in an environment. "" is false.
func boolean(field func(*options) *bool) setter { return scalar(field, parseBool) }

func parseBool(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off", "":
		return false, nil
	}
	return false, errors.New("must be true or false")
}

// secureMode is a switch with a third state.
func secureMode(field func(*options) *postern.SecureMode) setter {
	return scalar(field, func(s string) (postern.SecureMode, error) {
		if strings.EqualFold(s, string(postern.SecureAuto)) {
			return postern.SecureAuto, nil
		}
		switch on, err := parseBool(s); {
		case err != nil || s == "":
			return "", errors.New("must be auto, true or false")
		case on:
			return postern.SecureAlways, nil
		}
		return postern.SecureNever, nil
	})
}

// number takes whole numbers from least to most.
func number(field func(*options) *int, least, most int) setter {
	return scalar(field, func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return 0, fmt.Errorf("must be a whole number from %d to %d", least, most)
		}
		return n, nil
	})
}

// duration takes Django's whole seconds and Go's "336h", at least so much.
func duration(field func(*options) *time.Duration, least time.Duration) setter {
	return scalar(field, func(s string) (time.Duration, error) {
		d, err := parseDuration(s)
		switch {
		case err != nil:
			return 0, err
		case d < least:
			return 0, fmt.Errorf("must be at least %s", shortDuration(least))
		}
		return d, nil
	})
}

func parseDuration(s string) (time.Duration, error) {
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil {
		if seconds > math.MaxInt64/int64(time.Second) || seconds < math.MinInt64/int64(time.Second) {
			return 0, errors.New("is too long")
		}
		return time.Duration(seconds) * time.Second, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New(`must be whole seconds, such as 1209600, or a duration, such as "336h" or "90s"`)
	}
	return d, nil
}

// preflightAge is a duration of which 0 means that the header is left out, as
// in django-cors-headers.
func preflightAge(o *options, g given) error {
	age := &o.config.CORS.PreflightMaxAge
	err := duration(func(*options) *time.Duration { return age }, 0)(o, g)
	if err == nil && *age == 0 {
		*age = -1
	}
	return err
}

// auditAge is a duration of which 0 means that nothing is written down.
func auditAge(o *options, g given) error {
	age := &o.config.AuditAge
	err := duration(func(*options) *time.Duration { return age }, 0)(o, g)
	switch {
	case err != nil:
		return err
	case *age == 0:
		*age = -1
	case *age < time.Hour:
		return errors.New("must be at least 1h, or 0 to write nothing down")
	}
	return nil
}

// recallEntries is a number of which 0 means that nothing is remembered.
func recallEntries(o *options, g given) error {
	n := &o.config.RecallEntries
	err := number(func(*options) *int { return n }, 0, 100_000_000)(o, g)
	if err == nil && *n == 0 {
		*n = -1
	}
	return err
}

// choice takes one of a few words, in any case, as they are written here.
func choice(field func(*options) *string, words ...string) setter {
	return scalar(field, func(s string) (string, error) {
		for _, word := range words {
			if strings.EqualFold(s, word) {
				return word, nil
			}
		}
		return "", errors.New("must be " + alternatives(words))
	})
}

func alternatives(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// logLevels are the words for log/slog's levels.
var logLevels = []string{"debug", "info", "warn", "error"}

func logLevel(field func(*options) *slog.Level) setter {
	return scalar(field, func(s string) (level slog.Level, err error) {
		if !slices.Contains(logLevels, strings.ToLower(s)) {
			return level, errors.New("must be " + alternatives(logLevels))
		}
		return level, level.UnmarshalText([]byte(s))
	})
}

// status takes the two answers there are to a request without a session.
func status(field func(*options) *int) setter {
	return scalar(field, func(s string) (int, error) {
		switch s {
		case "403":
			return http.StatusForbidden, nil
		case "401":
			return http.StatusUnauthorized, nil
		}
		return 0, errors.New("must be 403 or 401")
	})
}

// address takes "host:port", ":port" and "[::1]:port".
func address(field func(*options) *string) setter {
	return scalar(field, func(s string) (string, error) {
		host, port, err := net.SplitHostPort(s)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		switch {
		case err == nil && host == "*":
			return "", fmt.Errorf("must be HOST:PORT; write %q for every address of the machine", ":"+port)
		case err != nil || !isListenHost(host):
			return "", errors.New(`must be HOST:PORT without scheme and path, such as "127.0.0.1:8000", "[::1]:8000", or ":8000" for every address of the machine`)
		}
		return s, nil
	})
}

// isListenHost reports whether s is "", a name or an address.
func isListenHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`*/\:@[]"'?#,;=%`, r)
	})
}

func fileMode(field func(*options) *fs.FileMode) setter {
	return scalar(field, func(s string) (fs.FileMode, error) {
		mode, err := strconv.ParseUint(s, 8, 32)
		if err != nil || mode == 0 || mode > 0o777 {
			return 0, errors.New(`must be an octal mode, such as "0660"`)
		}
		return fs.FileMode(mode), nil
	})
}

// trustedProxies takes networks, addresses, and "unix".
func trustedProxies(o *options, g given) error {
	var problems []string
	for _, item := range g.list() {
		if item == "unix" {
			o.config.TrustUnixPeers = true
			continue
		}
		prefix, err := parseNetwork(item)
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		o.config.TrustedProxies = append(o.config.TrustedProxies, prefix)
	}
	if problems != nil {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}

// parseNetwork takes "10.0.0.0/8" and "10.0.0.1", which means /32.
func parseNetwork(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return prefix, fmt.Errorf(`%q is not a network: write "10.0.0.0/8", "192.0.2.1" or "unix"`, s)
	case prefix != prefix.Masked():
		return prefix, fmt.Errorf("%q has bits set beyond its length: write %q for the network or %q for the host", s, prefix.Masked(), prefix.Addr())
	case prefix.Addr().Is4In6():
		return prefix, fmt.Errorf("%q is IPv4 in IPv6 form: write it as IPv4", s)
	}
	return prefix, nil
}

// regexes takes regular expressions; commas within brackets and braces are
// theirs.
func regexes(field func(*options) *[]*regexp.Regexp) setter {
	return func(o *options, g given) error {
		var compiled []*regexp.Regexp
		var problems []string
		for _, expression := range g.split(slices.Values(splitOutsideBrackets(g.text))) {
			re, err := regexp.Compile(expression)
			if err != nil {
				problems = append(problems, fmt.Sprintf("%q is not a regular expression: %s", expression, strings.TrimPrefix(err.Error(), "error parsing regexp: ")))
				continue
			}
			compiled = append(compiled, re)
		}
		if problems != nil {
			return errors.New(strings.Join(problems, "; "))
		}
		*field(o) = compiled
		return nil
	}
}

func splitOutsideBrackets(s string) []string {
	var parts []string
	start, depth, escaped := 0, 0, false
	for i, r := range s {
		switch {
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case strings.ContainsRune("([{", r):
			depth++
		case strings.ContainsRune(")]}", r):
			depth--
		case r == ',' && depth <= 0:
			parts = append(parts, s[start:i])
			start = i + 1
		}
	}
	return append(parts, s[start:])
}

// onOff sets a switch that is named for its opposite.
func onOff(off func(*options) *bool) setter {
	return scalar(off, func(s string) (bool, error) {
		on, err := parseBool(s)
		if err != nil || s == "" {
			return false, errors.New("must be on or off")
		}
		return !on, nil
	})
}

// parseRate is postern.ParseRate with an error that leaves the value out.
func parseRate(s string) (postern.Rate, error) {
	rate, err := postern.ParseRate(s)
	if err != nil {
		return postern.Rate{}, errors.New(`must be attempts and a unit of time, such as "10/m" (s, m, h or d); POSTERN_THROTTLE=off turns throttling off`)
	}
	return rate, nil
}
