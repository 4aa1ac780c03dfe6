package api

import (
	"bytes"
	"html/template"
	"net/http"

	"github.com/postern-auth/postern/internal/drf"
)

// pageTemplate shows an answer to a person who opened the endpoint in a browser.
var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{.Name}}</title>
</head>
<body>
<h1>{{.Name}}</h1>
<p><code>{{.Method}} {{.Path}}</code></p>
<pre>HTTP {{.Status}} {{.StatusText}}
Allow: {{.Allow}}

{{.Body}}</pre>
</body>
</html>
`))

// page writes an answer as HTML; it has no scripts, no styles and no forms.
func (e *exchange) page(status int, body any) error {
	var b bytes.Buffer
	err := pageTemplate.Execute(&b, map[string]any{
		"Name":       e.endpoint.name,
		"Method":     e.Request.Method,
		"Path":       e.Request.URL.Path,
		"Status":     status,
		"StatusText": http.StatusText(status),
		"Allow":      e.endpoint.allow[0],
		"Body":       string(drf.Render(body, 4)),
	})
	if err != nil {
		return err
	}
	e.Header()["Content-Security-Policy"] = []string{"default-src 'none'; frame-ancestors 'none'"}
	e.Answer(status, "text/html; charset=utf-8", b.Bytes())
	return nil
}
