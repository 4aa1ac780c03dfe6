// Package pages is what all pages for people have in common: the layout, the
// stylesheet and the few modules of script, the languages, and the headers
// that keep a page's content to itself.
//
// A part of the server that has pages (the admin site, the browsable API)
// brings its templates and gets a Site, which is mounted under that part's own
// path: its assets too, so that a proxy that forwards the part forwards all of it.
package pages

import (
	"bytes"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/postern-auth/postern/internal/guard"
)

// Site renders the pages under one path. Safe for concurrent use.
type Site struct {
	prefix string // of its assets' URLs, such as "/admin/assets/"
	// templates are those of each language by name, parsed when they are first
	// shown.
	templates map[string]map[string]func() (*template.Template, error)
}

// New returns the site of the templates *.html in files, whose assets are
// served under root + "assets/". Each template of files whose name does not begin with "_"
// is a page, and defines what the layout asks for: "content", and may define
// "nav". Those with "_" are shared by all of them.
func New(root string, files fs.FS) (*Site, error) {
	names, err := fs.Glob(files, "*.html")
	if err != nil {
		return nil, err
	}
	shared, err := fs.Glob(files, "_*.html")
	if err != nil {
		return nil, err
	}
	s := &Site{prefix: root + "assets/", templates: make(map[string]map[string]func() (*template.Template, error))}
	for _, language := range Languages() {
		set := make(map[string]func() (*template.Template, error))
		for _, name := range names {
			if strings.HasPrefix(name, "_") {
				continue
			}
			set[strings.TrimSuffix(path.Base(name), ".html")] = sync.OnceValues(func() (*template.Template, error) {
				return s.parse(language, files, append(slices.Clone(shared), name))
			})
		}
		s.templates[language.Tag()] = set
	}
	return s, nil
}

func (s *Site) parse(language *Language, files fs.FS, names []string) (*template.Template, error) {
	t := template.New("layout.html").Funcs(s.functions(language))
	t, err := t.ParseFS(layout, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse the layout: %w", err)
	}
	if t, err = t.ParseFS(files, names...); err != nil {
		return nil, fmt.Errorf("parse the page %s: %w", names[len(names)-1], err)
	}
	return t, nil
}

func (s *Site) functions(l *Language) template.FuncMap {
	return template.FuncMap{
		"t":      l.Text,
		"lang":   l.Tag,
		"number": l.Number,
		"moment": moment,
		"asset":  func(name string) string { return s.prefix + hashedName(name) },
	}
}

// Viewer is the person who looks at a page.
type Viewer struct {
	Username string
	Staff    bool
}

// Page is one page, as its template sees it.
type Page struct {
	Title string // in the viewer's language
	// Viewer is nil for someone who is not logged in.
	Viewer *Viewer
	// CSRFToken goes into each form.
	CSRFToken string
	// Path is that of the request.
	Path string
	// Notice is said at the top of the page, for one who waits for a result.
	Notice string
	// Content is what the page's own template needs.
	Content any
}

// contentSecurityPolicy lets a page load what this server serves from files,
// send forms and calls to this server, and nothing else; nobody may frame it.
const contentSecurityPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Show answers with the page of that name, in the language that the client prefers.
func (s *Site) Show(x *guard.Exchange, status int, name string, p *Page) error {
	language := LanguageOf(x.Request)
	parsed, ok := s.templates[language.Tag()][name]
	if !ok {
		return fmt.Errorf("there is no page %q", name)
	}
	t, err := parsed()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, p); err != nil {
		return fmt.Errorf("render the page %s: %w", name, err)
	}
	h := x.Header()
	h["Content-Security-Policy"] = []string{contentSecurityPolicy}
	h["Content-Language"] = []string{language.Tag()}
	h.Add("Vary", "Accept-Language")
	if h.Get("Cache-Control") == "" {
		h["Cache-Control"] = []string{"no-store"}
	}
	x.Answer(status, "text/html; charset=utf-8", b.Bytes())
	return nil
}

// ServeAsset answers a request for one of the site's assets; false if the
// path is none of its assets.
func (s *Site) ServeAsset(x *guard.Exchange) bool {
	name, under := strings.CutPrefix(x.Request.URL.Path, s.prefix)
	if !under {
		return false
	}
	x.Route = s.prefix
	x.Quiet = true
	a, ok := hashed[name]
	switch {
	case !ok:
		x.NotFound()
	case x.Request.Method != http.MethodGet && x.Request.Method != http.MethodHead:
		x.Header()["Allow"] = []string{"GET, HEAD"}
		x.Answer(http.StatusMethodNotAllowed, "text/plain; charset=utf-8", []byte("Method not allowed.\n"))
	default:
		a.serve(x)
	}
	return true
}
