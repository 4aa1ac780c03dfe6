package guard

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// CookieSettings are Django's settings for one cookie.
type CookieSettings struct {
	Name     string
	Domain   string
	Path     string
	SameSite string
	Secure   SecureMode
	HTTPOnly bool
	// SessionOnly leaves out Max-Age and Expires: the browser forgets the
	// cookie when it closes.
	SessionOnly bool
}

// SecureMode says when a cookie gets the attribute Secure.
type SecureMode int

// The modes: when the request came over https, always, never.
const (
	SecureAuto SecureMode = iota
	SecureAlways
	SecureNever
)

func (s *CookieSettings) secure(x *Exchange) bool {
	return s.Secure == SecureAlways || s.Secure == SecureAuto && x.Secure
}

// maxCookies bounds how many name=value pairs of a request are looked at.
const maxCookies = 500

// Cookie returns the value of a cookie as django.http.cookie.parse_cookie
// reads it: names are case-sensitive, the last of several wins, quotes are
// taken off.
func (x *Exchange) Cookie(name string) (value string, found bool) {
	looked := 0
	for _, line := range x.Request.Header["Cookie"] {
		for line != "" && looked < maxCookies {
			looked++
			var chunk string
			chunk, line, _ = strings.Cut(line, ";")
			key, v, pair := strings.Cut(chunk, "=")
			if !pair {
				key, v = "", chunk
			}
			if trimSpace(key) == name {
				value, found = trimSpace(v), true
			}
		}
	}
	return unquote(value), found
}

// trimSpace takes off what Python's str.strip takes off, as far as a header can hold it.
func trimSpace(s string) string {
	if len(s) > 1 && s[0] == ' ' { // as browsers write it
		s = s[1:]
	}
	if len(s) > 0 && '!' <= s[0] && s[0] <= '~' && '!' <= s[len(s)-1] && s[len(s)-1] <= '~' {
		return s
	}
	return strings.Trim(s, " \t\n\r\v\f\x1c\x1d\x1e\x1f\u0085\u00a0")
}

// unquote is http.cookies._unquote: quotes off, \" and \ooo resolved.
func unquote(v string) string {
	if len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
		return v
	}
	v = v[1 : len(v)-1]
	if !strings.Contains(v, `\`) {
		return v
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] != '\\' || i+1 == len(v) {
			b.WriteByte(v[i])
			continue
		}
		if i+3 < len(v) {
			if n, err := strconv.ParseUint(v[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		i++
		b.WriteByte(v[i])
	}
	return b.String()
}

// setCookie adds a Set-Cookie header in Django's form and order of attributes.
func (x *Exchange) setCookie(s *CookieSettings, value string, age time.Duration) {
	b := make([]byte, 0, 192)
	b = append(b, s.Name...)
	b = append(b, '=')
	b = append(b, value...)
	if s.Domain != "" {
		b = append(b, "; Domain="...)
		b = append(b, s.Domain...)
	}
	if !s.SessionOnly {
		b = append(b, "; expires="...)
		b = x.guard.set.Now().Add(age).UTC().AppendFormat(b, http.TimeFormat)
	}
	if s.HTTPOnly {
		b = append(b, "; HttpOnly"...)
	}
	if !s.SessionOnly {
		b = append(b, "; Max-Age="...)
		b = strconv.AppendInt(b, int64(age/time.Second), 10)
	}
	b = append(b, "; Path="...)
	b = append(b, s.Path...)
	b = append(b, "; SameSite="...)
	b = append(b, s.SameSite...)
	if s.secure(x) {
		b = append(b, "; Secure"...)
	}
	x.Header()["Set-Cookie"] = append(x.Header()["Set-Cookie"], string(b))
}

// SetPageCookie gives the client a cookie for pages under a path, which no
// script reads and no other site's request brings along.
func (x *Exchange) SetPageCookie(name, value, path string, age time.Duration) {
	s := x.guard.set.Session
	s.Name, s.Path, s.SameSite, s.HTTPOnly, s.SessionOnly = name, path, "Strict", true, false
	x.setCookie(&s, value, age)
}

// SetSessionCookie gives the client its session key.
func (x *Exchange) SetSessionCookie(key string, age time.Duration) {
	x.setCookie(&x.guard.set.Session, key, age)
}

// DeleteSessionCookie has the client forget its session key, as
// django.http.HttpResponse.delete_cookie does.
func (x *Exchange) DeleteSessionCookie() {
	s := &x.guard.set.Session
	b := s.Name + `=""`
	if s.Domain != "" {
		b += "; Domain=" + s.Domain
	}
	b += "; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=" + s.Path + "; SameSite=" + s.SameSite
	if s.Secure == SecureAlways || s.SameSite == "None" || strings.HasPrefix(s.Name, "__") {
		b += "; Secure"
	}
	x.Header()["Set-Cookie"] = append(x.Header()["Set-Cookie"], b)
}

// SessionKey returns the value of the session cookie.
func (x *Exchange) SessionKey() (key string, found bool) { return x.Cookie(x.guard.set.Session.Name) }

// minSessionKey is the shortest value that Django takes for a session key
// (SessionBase._validate_session_key). A shorter one is deleted from the
// client by any answer, even one that never looked at the session.
const minSessionKey = 8

// DropMalformedSessionCookie deletes a session cookie that can't be a key. It
// reports whether it did: then the answer varies by Cookie.
func (x *Exchange) DropMalformedSessionCookie() bool {
	key, found := x.SessionKey()
	if !found || len(key) >= minSessionKey {
		return false
	}
	x.DeleteSessionCookie()
	return true
}
