package guard

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Answer writes a whole answer. An empty contentType sets none.
func (x *Exchange) Answer(status int, contentType string, body []byte) {
	h := x.Header()
	if contentType != "" {
		h["Content-Type"] = []string{contentType}
	}
	x.begin(h, status, len(body))
	if x.Request.Method != http.MethodHead {
		_, _ = x.Write(body) // a client that hung up needs no answer
	}
}

// AnswerText is Answer with a body that is kept as text and goes out uncopied.
func (x *Exchange) AnswerText(status int, body string) {
	x.begin(x.Header(), status, len(body))
	if x.Request.Method != http.MethodHead {
		n, _ := io.WriteString(x.ResponseWriter, body)
		x.written += int64(n)
	}
}

func (x *Exchange) begin(h http.Header, status, length int) {
	if len(h["Vary"]) == 0 {
		h["Vary"] = varyOrigin
	}
	h["Content-Length"] = contentLength(length)
	x.WriteHeader(status)
}

// contentLengths are the values of Content-Length for short bodies, made once
// and shared by all answers.
var contentLengths = func() (values [512][]string) {
	for n := range values {
		values[n] = []string{strconv.Itoa(n)}
	}
	return values
}()

func contentLength(n int) []string {
	if n < len(contentLengths) {
		return contentLengths[n]
	}
	return []string{strconv.Itoa(n)}
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

// badRequest is Django's answer to a host that is not allowed, as JSON.
func (x *Exchange) badRequest(fix string) {
	body, _ := json.Marshal(x.explained("Bad Request (400)", fix)) // a text can't fail
	x.Answer(http.StatusBadRequest, "application/json", []byte(`{"detail":`+string(body)+`}`))
}
