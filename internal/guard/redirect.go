package guard

import "net/http"

// RedirectToSlash redirects a request whose path lacks its last slash to path,
// which has it, with the query as sent: 301 for safe methods, as
// django.middleware.common, and 308 for the others, since browsers repeat a
// POST that was answered 301 as a GET.
//
// The path must be one of the server's own: it goes into the header as it is.
func (x *Exchange) RedirectToSlash(path string) {
	status := http.StatusMovedPermanently
	if IsUnsafe(x.Request.Method) {
		status = http.StatusPermanentRedirect
	}
	if q := x.Request.URL.RawQuery; q != "" {
		path += "?" + q
	}
	x.redirect(status, path)
}

// redirectToHTTPS redirects to the same address over https, with 301 for every
// method, as django.middleware.security. A POST is not asked to be repeated
// (308): its body has already crossed the network in the clear, and a client
// that does so must find out.
func (x *Exchange) redirectToHTTPS() {
	x.redirect(http.StatusMovedPermanently, "https://"+x.Host+x.Request.URL.RequestURI())
}

func (x *Exchange) redirect(status int, location string) {
	x.WithoutFrameOptions()
	x.Header()["Location"] = []string{location}
	x.Answer(status, "text/html; charset=utf-8", nil)
}
