package drf

import (
	"fmt"
	"io"
)

// The media types of the parsers, in the model's order.
const (
	jsonType      = "application/json"
	formType      = "application/x-www-form-urlencoded"
	multipartType = "multipart/form-data"
)

// Data is a parsed body: any JSON value, or a form. The zero value is an empty mapping.
// It may hold passwords, so it prints as nothing but its kind.
type Data struct {
	top     kind // kindDict when there are members
	members []member
	inputs  bool // from a form parser: an empty text may stand for nothing
	form    bool // the Content-Type names a form, without wildcards
}

type member struct {
	name  string
	value value
}

// value is one value of a body. Text is what Python's str would give for text and numbers; of a file
// it is the name, and of the rest nothing.
type value struct {
	kind kind
	text string
	// surrogate is the first lone surrogate of the text, 0 for none; in the
	// text, U+FFFD stands for each. Only a JSON escape gives one.
	surrogate rune
}

// kind tells values apart as Python does.
type kind uint8

const (
	kindDict kind = iota
	kindList
	kindText
	kindInt
	kindFloat
	kindBool
	kindNull
	kindFile   // a file of a multipart form
	kindAbsent // not in the body
)

// kindNames are the names of Python's types, as the model shows them.
var kindNames = [...]string{
	kindDict: "dict", kindList: "list", kindText: "str", kindInt: "int", kindFloat: "float", kindBool: "bool",
	kindNull: "NoneType", kindFile: "InMemoryUploadedFile", kindAbsent: "empty",
}

// Body parses a body by its Content-Type, both as sent. An empty body is no data, whatever its type.
//
// The parsers are JSON, form and multipart. The parameter charset may name any encoding that both Python
// and golang.org/x/text know, by Python's names; any other counts as UTF-8, as in the model a charset that
// Python does not know.
//
// Errors are of type *Error: UnsupportedMediaType (415) when there is no parser for the type, 400 when
// the body does not parse, nests deeper than MaxDepth or has too many fields.
func Body(contentType string, body []byte) (Data, error) {
	header := latin1(contentType)
	mediaType, params := cutHeader(header)
	form := mediaType == formType || mediaType == multipartType
	if len(body) == 0 {
		return Data{inputs: form, form: form}, nil
	}
	name, _ := params.get("charset")
	cs, _ := charsetOf(name)
	if cs != utf8Text && len(body) > maxFreelyDecoded {
		decoders <- struct{}{}
		defer func() { <-decoders }()
	}
	var data Data
	var err error
	switch {
	case mediaTypeMatches(jsonType, mediaType):
		data, err = parseJSON(body, cs)
	case mediaTypeMatches(formType, mediaType):
		data, err = parseForm(body, cs)
	case mediaTypeMatches(multipartType, mediaType):
		data, err = parseMultipart(header, params, body, cs)
	default:
		err = UnsupportedMediaType(contentType)
	}
	data.form = form
	return data, err
}

// Text of another encoding than UTF-8 is up to three times as long as the body, and is copied: of long
// bodies only a few are decoded at the same time. The others wait for milliseconds.
const maxFreelyDecoded = 64 << 10

var decoders = make(chan struct{}, 4)

// IsForm reports whether the body came as a form, urlencoded or multipart.
func (d Data) IsForm() bool { return d.form }

// FormValue returns the last text of that name in a form: empty when there is none, and for JSON.
// Files do not count. It is where csrfmiddlewaretoken is looked for.
func (d Data) FormValue(name string) string {
	if !d.form {
		return ""
	}
	for i := len(d.members) - 1; i >= 0; i-- {
		if m := &d.members[i]; m.name == name && m.value.kind == kindText {
			return m.value.text
		}
	}
	return ""
}

// lookup returns the value a serializer sees under a name: the last one.
func (d Data) lookup(name string) value {
	for i := len(d.members) - 1; i >= 0; i-- {
		if m := &d.members[i]; m.name == name {
			return m.value
		}
	}
	return value{kind: kindAbsent}
}

// Format prints the kind of the data under every verb, and nothing of its contents.
func (d Data) Format(w fmt.State, _ rune) {
	_, _ = io.WriteString(w, "drf.Data("+kindNames[d.top]+")")
}
