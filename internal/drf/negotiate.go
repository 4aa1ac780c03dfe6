package drf

import (
	"fmt"
	"strings"
)

// Format is a way to write an answer.
type Format int

// The formats, in the order the model prefers them.
const (
	JSON Format = iota // application/json, ?format=json
	HTML               // text/html, ?format=api: the browsable API
)

// formats holds media type and ?format= of each Format.
var formats = [...]struct{ mediaType, name string }{
	JSON: {"application/json", "json"},
	HTML: {"text/html", "api"},
}

// MediaType returns the media type of f without parameters.
func (f Format) MediaType() string { return formats[f].mediaType }

// maxIndent is the widest indentation a client may ask for.
const maxIndent = 8

// indent is how JSON is indented in f when the client asks for nothing: not, or, on a page, by four.
func (f Format) indent() int {
	if f == HTML {
		return 4
	}
	return 0
}

// Accepted is what a request is to be answered in.
type Accepted struct {
	Format Format
	Indent int // spaces for each level of JSON, also of that on a page: 1 to 8; 0 is compact
}

// Negotiate picks the format of the answer as DRF's DefaultContentNegotiation: accept is the Accept
// header as sent (several of them joined by commas), hasAccept whether there was one, and format the
// last ?format= of the query, empty when there was none (see QueryValue).
//
// The more specific media type wins (with parameters, without, type/*, */*), then JSON before HTML.
// The weight q is ignored, as in the model.
//
// It returns NotFound for a format that is not offered and NotAcceptable when nothing offered will do.
func Negotiate(accept string, hasAccept bool, format string) (Accepted, error) {
	return negotiateUpTo(HTML, accept, hasAccept, format)
}

// NegotiateJSON is Negotiate where JSON is all there is, as in a model without BrowsableAPIRenderer.
func NegotiateJSON(accept string, hasAccept bool, format string) (Accepted, error) {
	return negotiateUpTo(JSON, accept, hasAccept, format)
}

func negotiateUpTo(last Format, accept string, hasAccept bool, format string) (Accepted, error) {
	first := JSON
	switch {
	case format == "":
	case format == formats[JSON].name:
		last = JSON
	case format == formats[HTML].name && last == HTML:
		first = HTML
	default:
		return Accepted{}, NotFound
	}
	if !hasAccept || accept == "*/*" || first == JSON && accept == formats[JSON].mediaType {
		return Accepted{first, first.indent()}, nil
	}
	return negotiate(latin1(accept), first, last)
}

// negotiate looks at each media range once and keeps the best.
func negotiate(accept string, first, last Format) (Accepted, error) {
	const none = -1
	best, bestPrecedence := Accepted{}, none
	for sent := range strings.SplitSeq(accept, ",") {
		sent = strip(sent)
		mediaType, params := cutHeader(sent)
		for f := first; f <= last; f++ {
			if !mediaTypeMatches(formats[f].mediaType, mediaType) {
				continue
			}
			if p := precedence(mediaType, params); p > bestPrecedence || p == bestPrecedence && f < best.Format {
				best, bestPrecedence = accepted(f, indentParameters(p, params)), p
			}
			break
		}
	}
	if bestPrecedence == none {
		return Accepted{}, NotAcceptable
	}
	return best, nil
}

// precedence tells how specific a media range is, from 0 to 3.
func precedence(mediaType string, params parameters) int {
	main, sub, _ := strings.Cut(mediaType, "/")
	switch {
	case main == "*":
		return 0
	case sub == "*":
		return 1
	}
	for name := range params.all() {
		if name != "q" {
			return 3
		}
	}
	return 2
}

// indentParameters returns the parameters the indentation is read from. For a wildcard the model writes
// the offered media type and the parameters, by then without their quotes, into a new text, and reads that.
func indentParameters(precedence int, params parameters) parameters {
	if _, ok := params.get("indent"); !ok || precedence >= 2 {
		return params
	}
	place := map[string]int{}
	var written []string
	for name, value := range params.all() {
		i, again := place[name]
		if !again {
			i = len(written)
			place[name] = i
			written = append(written, "")
		}
		written[i] = fmt.Sprintf("%s=%s", name, value)
	}
	return parameters(strings.Join(written, ";"))
}

// accepted is f with the indentation that params ask for, if that is a number.
func accepted(f Format, params parameters) Accepted {
	if text, ok := params.get("indent"); ok {
		if n, ok := parseInt(text, maxIndent); ok {
			return Accepted{f, max(n, 0)}
		}
	}
	return Accepted{f, f.indent()}
}
