package pages

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/postern-auth/postern/internal/guard"
)

//go:embed assets
var assetFiles embed.FS

//go:embed templates
var layout embed.FS

// asset is one file: its name carries a hash of what is in it, so that a
// browser may keep it for ever.
type asset struct {
	contentType string
	plain       []byte
	gzip        func() []byte // made when it is first asked for
}

var (
	hashed = make(map[string]*asset) // by hashed name
	names  = make(map[string]string) // hashed name by plain name
)

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

func init() {
	files, err := fs.Glob(assetFiles, "assets/*")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	for _, file := range files {
		content, err := assetFiles.ReadFile(file)
		if err != nil {
			panic(err) // the file is embedded
		}
		name := path.Base(file)
		sum := sha256.Sum256(content)
		ext := path.Ext(name)
		names[name] = strings.TrimSuffix(name, ext) + "." + base64.RawURLEncoding.EncodeToString(sum[:9]) + ext
		hashed[names[name]] = &asset{contentType: contentTypes[ext], plain: content, gzip: sync.OnceValue(func() []byte { return compressed(content) })}
	}
}

func compressed(content []byte) []byte {
	var b bytes.Buffer
	w, _ := gzip.NewWriterLevel(&b, gzip.BestCompression) // the level is valid
	_, _ = w.Write(content)                               // a buffer takes it all
	_ = w.Close()
	return b.Bytes()
}

func hashedName(name string) string {
	h, ok := names[name]
	if !ok {
		panic(fmt.Sprintf("pages: no asset %q", name))
	}
	return h
}

func (a *asset) serve(x *guard.Exchange) {
	h := x.Header()
	h["Cache-Control"] = []string{"public, max-age=31536000, immutable"}
	h.Add("Vary", "Accept-Encoding")
	body := a.plain
	if strings.Contains(x.Request.Header.Get("Accept-Encoding"), "gzip") && len(a.gzip()) < len(a.plain) {
		h["Content-Encoding"] = []string{"gzip"}
		body = a.gzip()
	}
	x.Answer(http.StatusOK, a.contentType, body)
}
