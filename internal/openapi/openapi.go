// Package openapi describes the API to programs, as an OpenAPI 3.1 document,
// and to people, as a page that also lets them try it. Both are made from one
// list of operations; tests hold the API's answers to it.
package openapi

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync"

	"github.com/postern-auth/postern/internal/guard"
	"github.com/postern-auth/postern/internal/pages"
)

//go:embed templates/*.html
var templates embed.FS

// Where document and page are.
const (
	Path     = "/api/schema/"
	PagePath = "/api/docs/"
)

// The media types of the document.
const (
	MediaTypeJSON = "application/vnd.oai.openapi+json"
	MediaTypeYAML = "application/vnd.oai.openapi"
)

// Options is what the document depends on.
type Options struct {
	Version                   string
	SessionCookie, CSRFCookie string
	UnauthenticatedStatus     int  // 401 or 403
	Browsable                 bool // endpoints answer people with pages
	Admin                     bool // there is an admin site to link to
}

// Description is the document and its page. Safe for concurrent use.
type Description struct {
	options Options
	site    *pages.Site
	// Both are written when they are first asked for: most servers never are,
	// and it takes much memory for a moment.
	document   func() (*document, error)
	operations func() ([]shown, error)
}

// document is the OpenAPI document.
type document struct {
	asJSON, asYAML []byte
	tag            string // of both, without quotes
}

// New returns the description of an API with these options.
func New(o Options) (*Description, error) {
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, err
	}
	d := &Description{options: o}
	if d.site, err = pages.New(PagePath, files); err != nil {
		return nil, fmt.Errorf("documentation: %w", err)
	}
	d.document = sync.OnceValues(d.options.write)
	d.operations = sync.OnceValues(d.options.shown)
	return d, nil
}

func (o *Options) write() (d *document, err error) {
	d = new(document)
	if d.asJSON, d.asYAML, err = o.document().write(); err != nil {
		return nil, fmt.Errorf("write the OpenAPI document: %w", err)
	}
	sum := sha256.Sum256(d.asJSON)
	d.tag = base64.RawURLEncoding.EncodeToString(sum[:9])
	return d, nil
}

// Serve answers requests for the document and the page; false if the request
// is for neither.
func (d *Description) Serve(x *guard.Exchange) bool {
	switch path := x.Request.URL.Path; {
	case path == Path:
		x.Route = Path
		d.read(x, d.serveDocument)
	case path == PagePath:
		x.Route = PagePath
		d.read(x, d.servePage)
	case path+"/" == Path, path+"/" == PagePath:
		x.RedirectToSlash(path + "/")
	default:
		return strings.HasPrefix(path, PagePath) && d.site.ServeAsset(x)
	}
	return true
}

// read lets GET and HEAD through.
func (d *Description) read(x *guard.Exchange, serve func(*guard.Exchange) error) {
	if x.Request.Method != http.MethodGet && x.Request.Method != http.MethodHead {
		x.Header()["Allow"] = []string{"GET, HEAD"}
		x.Answer(http.StatusMethodNotAllowed, "application/json", []byte(`{"detail":"Only GET and HEAD are allowed."}`))
		return
	}
	if err := serve(x); err != nil {
		x.Log().Error("documentation not rendered", "error", err)
		x.ServerError()
	}
}

func (d *Description) serveDocument(x *guard.Exchange) error {
	document, err := d.document()
	if err != nil {
		return err
	}
	body, mediaType, format := document.asJSON, MediaTypeJSON, x.Request.URL.Query().Get("format")
	switch format {
	case "", "json":
	case "yaml":
		body, mediaType = document.asYAML, MediaTypeYAML
	default:
		x.Answer(http.StatusNotFound, "application/json", []byte(`{"detail":"Not found."}`))
		return nil
	}
	h := x.Header()
	tag := `"` + document.tag + `-` + mediaType[len(mediaType)-4:] + `"`
	h["Etag"] = []string{tag}
	h["Cache-Control"] = []string{"no-cache"}
	if x.Request.Header.Get("If-None-Match") == tag {
		x.Answer(http.StatusNotModified, "", nil)
		return nil
	}
	x.Answer(http.StatusOK, mediaType, body)
	return nil
}
