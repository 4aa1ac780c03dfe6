// Package browse is the browsable API: each endpoint as a page, for people,
// with the answer just given and a form for what can be sent to it. The API
// decides everything; a page only shows what came of it.
package browse

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"slices"
	"strings"

	"github.com/postern-auth/postern/internal/drf"
	"github.com/postern-auth/postern/internal/guard"
	"github.com/postern-auth/postern/internal/pages"
)

//go:embed templates/*.html
var templates embed.FS

// Root is where the API lives.
const Root = "/api/"

// Browser shows answers of the API. Safe for concurrent use.
type Browser struct {
	site  *pages.Site
	admin bool
	docs  bool
	mask  func(secret string) (string, error)
}

// Options is what a Browser is made of.
type Options struct {
	// Mask makes a CSRF token of a secret.
	Mask func(secret string) (string, error)
	// Docs says that there is documentation to link to.
	Docs bool
	// Admin says that there is an admin site to link to.
	Admin bool
}

// New returns a Browser.
func New(o Options) (*Browser, error) {
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, err
	}
	site, err := pages.New(Root, files)
	if err != nil {
		return nil, fmt.Errorf("browsable API: %w", err)
	}
	return &Browser{site: site, mask: o.Mask, admin: o.Admin, docs: o.Docs}, nil
}

// ServeAsset answers a request for a stylesheet or script of the pages; false
// if the path is none of theirs.
func (b *Browser) ServeAsset(x *guard.Exchange) bool { return b.site.ServeAsset(x) }

// Answer is what the API has to say to a request.
type Answer struct {
	Path, Name string
	Status     int
	Body       any // as drf.Render takes it
	Indent     int
	// Username and Staff are of who is logged in once the request has been
	// acted on; "" for nobody.
	Username string
	Staff    bool
	// Sent returns what a form had in a field, "" for none.
	Sent func(field string) string
	// Secret is that of the session's CSRF tokens, "" without a session.
	Secret string
}

// content is what the page's template needs.
type content struct {
	*endpoint
	Endpoints   []*endpoint
	Docs        bool // there is documentation
	Admin       bool // there is an admin site, and the viewer may enter it
	Request     []header
	RequestLine string
	Status      int
	StatusText  string
	Headers     []header
	Body        template.HTML
	Continue    string // where a login was asked for
	LoginURL    string
	Action      string // where the forms go
	Failed      bool
	FieldErrors map[string][]string
	Values      map[string]string
}

type header struct{ Name, Value string }

// Show answers with the page.
func (b *Browser) Show(x *guard.Exchange, a *Answer) error {
	e, ok := byPath[a.Path]
	if !ok {
		return fmt.Errorf("the browsable API does not know %s", a.Path)
	}
	secret, err := x.FormSecret(a.Secret)
	if err != nil {
		return err
	}
	token, err := b.mask(secret)
	if err != nil {
		return err
	}
	next := pages.LocalPath(x.Request.URL.Query().Get("next"))
	c := &content{
		endpoint: e, Endpoints: endpoints, Admin: b.admin && a.Staff, Docs: b.docs,
		RequestLine: x.Request.Method + " " + x.Request.URL.RequestURI(),
		Request:     requestHeaders(x.Request),
		Status:      a.Status, StatusText: http.StatusText(a.Status),
		Headers:     answerHeaders(x.Header()),
		Body:        highlight(drf.Render(a.Body, max(a.Indent, 2))),
		LoginURL:    loginURL(e),
		Action:      e.Path,
		Failed:      a.Status >= http.StatusBadRequest,
		FieldErrors: fieldErrors(a.Body),
	}
	if next != "" {
		c.Action += "?next=" + template.URLQueryEscaper(next)
	}
	if next != "" && a.Username != "" && a.Status < http.StatusBadRequest && x.Request.Method == http.MethodPost {
		c.Continue = next
	}
	if c.Failed && a.Sent != nil {
		c.Values = make(map[string]string)
		for _, f := range e.Fields {
			if f.Type != "password" {
				c.Values[f.Name] = a.Sent(f.Name)
			}
		}
	}
	p := &pages.Page{Title: e.Name, CSRFToken: token, Path: a.Path, Content: c}
	if a.Username != "" {
		p.Viewer = &pages.Viewer{Username: a.Username, Staff: a.Staff}
	}
	return b.site.Show(x, a.Status, "endpoint", p)
}

// loginURL is the login that leads back to the endpoint, or, from one that has
// nothing to show, to who is logged in.
func loginURL(e *endpoint) string {
	back := e.Path
	if e.Method != http.MethodGet {
		back = "/api/user/"
	}
	return "/api/login/?next=" + template.URLQueryEscaper(back)
}

// shown are the headers of a request that a page repeats: none of them is a secret.
var shown = []string{"Accept", "Accept-Language", "Content-Type", "Content-Length", "Origin"}

func requestHeaders(r *http.Request) []header {
	all := []header{{"Host", r.Host}}
	for _, name := range shown {
		if value := strings.Join(r.Header[name], ", "); value != "" {
			all = append(all, header{name, value})
		}
	}
	return all
}

// answerHeaders are what a program would have got; of a cookie the value is left out.
func answerHeaders(h http.Header) []header {
	all := []header{{"Content-Type", drf.JSON.MediaType()}}
	for name, values := range h {
		switch name {
		case "Content-Security-Policy", "Content-Type", "Content-Language":
			continue
		}
		for _, value := range values {
			if name == "Set-Cookie" {
				value = withoutValue(value)
			}
			all = append(all, header{name, value})
		}
	}
	slices.SortStableFunc(all, func(a, b header) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func withoutValue(cookie string) string {
	name, rest, _ := strings.Cut(cookie, "=")
	value, attributes, _ := strings.Cut(rest, ";")
	if value != `""` {
		value = "…"
	}
	return name + "=" + value + ";" + attributes
}

// fieldErrors are the messages of an answer that is about fields.
func fieldErrors(body any) map[string][]string {
	object, ok := body.(drf.Object)
	if !ok {
		return nil
	}
	found := make(map[string][]string)
	for _, m := range object {
		if messages, ok := m.Value.([]string); ok {
			found[m.Name] = messages
		}
	}
	return found
}
