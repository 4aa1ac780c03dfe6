package guard

import "strconv"

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

// securityHeaders are those of django.middleware.security and clickjacking.
func securityHeaders(s HeaderSettings) []header {
	hs := []header{
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
