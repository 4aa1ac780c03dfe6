package guard

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// HeaderSettings are Django's SECURE_… settings and X_FRAME_OPTIONS.
type HeaderSettings struct {
	HSTSSeconds           int
	HSTSIncludeSubdomains bool
	HSTSPreload           bool
	SSLRedirect           bool
	FrameOptions          string
	ReferrerPolicy        string
}

// header is one header as net/http keeps it; the slice is shared by all
// answers and never written to.
type header struct {
	name    string
	value   []string
	onlyTLS bool
}

const cspName = "Content-Security-Policy"

// securityHeaders are those of django.middleware.security and clickjacking,
// and a policy for what is no page: it loads nothing and is framed by nobody.
// Pages put their own in its place.
func securityHeaders(s HeaderSettings) []header {
	ancestors := "'none'"
	if s.FrameOptions == "SAMEORIGIN" {
		ancestors = "'self'"
	}
	hs := []header{
		{name: cspName, value: []string{"default-src 'none'; frame-ancestors " + ancestors}},
		{name: "X-Content-Type-Options", value: []string{"nosniff"}},
		{name: "Referrer-Policy", value: []string{s.ReferrerPolicy}},
		{name: "Cross-Origin-Opener-Policy", value: []string{"same-origin"}},
		{name: "X-Frame-Options", value: []string{s.FrameOptions}},
	}
	if s.HSTSSeconds > 0 {
		value := "max-age=" + strconv.Itoa(s.HSTSSeconds)
		if s.HSTSIncludeSubdomains {
			value += "; includeSubDomains"
		}
		if s.HSTSPreload {
			value += "; preload"
		}
		hs = append(hs, header{name: "Strict-Transport-Security", value: []string{value}, onlyTLS: true})
	}
	return hs
}

func (g *Guard) setSecurityHeaders(x *Exchange) {
	out := x.Header()
	for i := range g.headers {
		if h := &g.headers[i]; !h.onlyTLS || x.Secure {
			out[h.name] = h.value
		}
	}
}

// WithoutFrameOptions takes back X-Frame-Options, which the model leaves out
// of redirects.
func (x *Exchange) WithoutFrameOptions() { delete(x.Header(), "X-Frame-Options") }

// single returns the value of a header that is to be there once: "" if it is
// missing. ok is false if it is there with different values.
func single(values []string) (value string, ok bool) {
	if len(values) == 0 {
		return "", true
	}
	return values[0], len(values) == 1 || !slices.ContainsFunc(values[1:], func(v string) bool { return v != values[0] })
}

// joinContentTypes makes one value of different ones, as a WSGI server does,
// which is a type that nobody reads: two readers can't each take their own.
func joinContentTypes(h http.Header) {
	if types := h["Content-Type"]; len(types) > 1 {
		if _, same := single(types); !same {
			h["Content-Type"] = []string{strings.Join(types, ",")}
		}
	}
}

// crossSite reports whether a browser says that a page of another site has
// sent the request (https://www.w3.org/TR/fetch-metadata/). A sibling domain is
// another site here.
func crossSite(h http.Header) bool {
	return slices.ContainsFunc(h["Sec-Fetch-Site"], func(v string) bool { return v != "same-origin" && v != "none" })
}
