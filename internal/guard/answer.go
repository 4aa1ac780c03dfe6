package guard

import (
	"net/http"
	"strconv"
	"strings"
)

// Answer writes a whole answer. An empty contentType sets none.
func (x *Exchange) Answer(status int, contentType string, body []byte) {
	h := x.Header()
	if len(h["Vary"]) == 0 {
		h["Vary"] = varyOrigin
	}
	if contentType != "" {
		h["Content-Type"] = []string{contentType}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	x.WriteHeader(status)
	if x.Request.Method != http.MethodHead {
		_, _ = x.Write(body) // a client that hung up needs no answer
	}
}

// PrefersHTML reports whether the Accept header asks for a page before JSON.
func PrefersHTML(accept string) bool {
	html := strings.Index(accept, "text/html")
	if html < 0 {
		return false
	}
	json := strings.Index(accept, "application/json")
	return json < 0 || html < json
}

// NotFound answers a path that nobody has.
func (x *Exchange) NotFound() {
	if PrefersHTML(x.Request.Header.Get("Accept")) {
		x.Answer(http.StatusNotFound, "text/html; charset=utf-8", []byte(notFoundPage))
		return
	}
	x.Answer(http.StatusNotFound, "application/json", []byte(`{"detail":"Not found."}`))
}

const notFoundPage = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Not Found</title></head>
<body><h1>Not Found</h1><p>The requested resource was not found on this server.</p></body>
</html>
`
