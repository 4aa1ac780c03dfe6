package guard

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-auth/postern/internal/django"
)

// CORSSettings are django-cors-headers' settings. Credentials are always
// allowed, except with AllowAll.
type CORSSettings struct {
	Origins  []string
	Regexes  []*regexp.Regexp
	AllowAll bool
	Headers  []string
	Methods  []string
	Expose   []string
	MaxAge   time.Duration // 0: no Access-Control-Max-Age
}

// cors answers as corsheaders.middleware does; an origin matches by scheme
// and netloc, whatever path follows.
type cors struct {
	origins  []django.URL
	opaque   []string // "null" and "file://", which have no netloc
	regexes  []*regexp.Regexp
	allowAll bool
	headers  []string
	methods  []string
	expose   []string
	maxAge   []string
}

func newCORS(s CORSSettings) cors {
	c := cors{
		allowAll: s.AllowAll,
		headers:  []string{strings.Join(s.Headers, ", ")},
		methods:  []string{strings.Join(s.Methods, ", ")},
	}
	for _, re := range s.Regexes {
		// re.match of Python, which the model uses, starts at the beginning.
		c.regexes = append(c.regexes, regexp.MustCompile(`\A(?:`+re.String()+`)`))
	}
	for _, o := range s.Origins {
		if o == "null" || o == "file://" {
			c.opaque = append(c.opaque, o)
		} else if u, err := django.Urlsplit(o); err == nil {
			c.origins = append(c.origins, u)
		}
	}
	if len(s.Expose) > 0 {
		c.expose = []string{strings.Join(s.Expose, ", ")}
	}
	if s.MaxAge > 0 {
		c.maxAge = []string{strconv.Itoa(int(s.MaxAge / time.Second))}
	}
	return c
}

var (
	varyOrigin     = []string{"origin"}
	trueValue      = []string{"true"}
	anyOrigin      = []string{"*"}
	htmlUTF8       = []string{"text/html; charset=utf-8"}
	contentLength0 = []string{"0"}
)

// preflight answers a CORS preflight, for any path: it tells nothing that
// the configuration does not tell anyone.
func (c *cors) preflight(x *Exchange) bool {
	r := x.Request
	if r.Method != http.MethodOptions || len(r.Header["Access-Control-Request-Method"]) == 0 {
		return false
	}
	c.actual(x)
	h := x.Header()
	h["Vary"] = varyOrigin
	h["Content-Type"] = htmlUTF8
	h["Content-Length"] = contentLength0
	x.WithoutFrameOptions()
	x.Quiet = true
	x.WriteHeader(http.StatusOK)
	return true
}

// actual sets the headers that let a page of an allowed origin read the answer.
func (c *cors) actual(x *Exchange) {
	r := x.Request
	origins := r.Header["Origin"]
	if len(origins) == 0 || origins[0] == "" {
		return
	}
	if _, same := single(origins); !same || !c.allowed(origins[0]) {
		c.missing(x, strings.Join(origins, ","))
		return
	}
	h := x.Header()
	if c.allowAll {
		h["Access-Control-Allow-Origin"] = anyOrigin
	} else {
		h["Access-Control-Allow-Origin"] = origins[:1:1]
		h["Access-Control-Allow-Credentials"] = trueValue
	}
	if c.expose != nil {
		h["Access-Control-Expose-Headers"] = c.expose
	}
	if r.Method == http.MethodOptions {
		h["Access-Control-Allow-Headers"] = c.headers
		h["Access-Control-Allow-Methods"] = c.methods
		if c.maxAge != nil {
			h["Access-Control-Max-Age"] = c.maxAge
		}
	}
}

// missing reports an origin whose pages can't read the answer. A page of our
// own, as far as the browser or the origin says, needs no permission.
func (c *cors) missing(x *Exchange, origin string) {
	site, _ := single(x.Request.Header["Sec-Fetch-Site"])
	if site != "same-origin" && origin != x.Origin() {
		x.refuse(x.refusedOrigin(RefusedCORS, "origin not allowed by CORS: its pages can't read the answer", origin, "POSTERN_CORS_ALLOWED_ORIGINS"))
	}
}

func (c *cors) allowed(origin string) bool {
	if c.allowAll {
		return true
	}
	if slices.Contains(c.opaque, origin) {
		return true
	}
	url, err := django.Urlsplit(origin)
	if err != nil {
		return false
	}
	if url.Netloc != "" && slices.ContainsFunc(c.origins, func(o django.URL) bool {
		return o.Scheme == url.Scheme && o.Netloc == url.Netloc
	}) {
		return true
	}
	return slices.ContainsFunc(c.regexes, func(re *regexp.Regexp) bool { return re.MatchString(origin) })
}
