package drf

import (
	"bytes"
	"encoding/base64"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPartHeader is how many bytes of a part are searched for the end of its headers.
const maxPartHeader = 1024

// maxParts is how many parts a form may have: Django counts neither files without a name nor what it
// passes over, this parser counts every part.
const maxParts = maxFields + 2 + maxFiles

// maxBoundary is the longest boundary Django's parser takes.
const maxBoundary = 201

var headerEnd = []byte("\r\n\r\n")

// parseMultipart reads multipart/form-data by the rules of Django's MultiPartParser, which is lenient:
// whatever stands between two delimiters is a part, before the first and after the last as well; the
// last delimiter may be missing; a part without a name is passed over.
//
// Files are not kept, only that there was one under the name, which no text field accepts.
func parseMultipart(contentType string, params parameters, body []byte, cs *charset) (Data, error) {
	if !strings.HasPrefix(contentType, "multipart/") {
		return Data{}, multipartError("the Content-Type is not multipart/form-data")
	}
	boundary, _ := params.get("boundary")
	if !isASCII(contentType) || !isBoundary(boundary) {
		return Data{}, multipartError("the boundary is missing or not valid")
	}
	r := multipartReader{charset: cs}
	delimiter := []byte("--" + boundary)
	for len(body) > 0 {
		raw, rest, _ := bytes.Cut(body, delimiter)
		if err := r.part(raw, len(raw) < len(body), len(rest) > 0); err != nil {
			return Data{}, err
		}
		body = rest
	}
	return Data{inputs: true, members: append(r.texts, r.files...)}, nil
}

func multipartError(why string) *Error { return ParseError("Multipart form", why) }

// isBoundary matches [ -~]{0,200}[!-~].
func isBoundary(s string) bool {
	if s == "" || len(s) > maxBoundary || s[len(s)-1] == ' ' {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// multipartReader gathers the fields of a form. Files come after all texts, since in the model they are
// added to the finished form and so hide a text of the same name.
type multipartReader struct {
	charset   *charset
	texts     []member
	files     []member
	parts     int // all of them, those that are passed over included
	fieldSeen int // parts that are no file, those without a name included
	fileSeen  int
}

// part takes one part as it stands between two delimiters. Ended says that a delimiter follows it, and
// more that something follows that: a file only counts then.
func (r *multipartReader) part(raw []byte, ended, more bool) error {
	if r.parts++; r.parts > maxParts {
		return tooMany("parts", maxParts)
	}
	if ended {
		raw = bytes.TrimSuffix(raw, []byte("\n"))
		raw = bytes.TrimSuffix(raw, []byte("\r"))
	}
	head, content, found := bytes.Cut(raw[:min(len(raw), maxPartHeader)], headerEnd)
	if !found && len(raw) >= maxPartHeader {
		return multipartError("the headers of a part are too long")
	}
	var h partHeader
	if found {
		content = raw[len(head)+len(headerEnd):]
		h = parsePartHeader(head)
	}
	if h.fileName == "" {
		if r.fieldSeen++; r.fieldSeen > maxFields+2 {
			return tooMany("fields", maxFields)
		}
	}
	if !h.named {
		return nil
	}
	name := r.charset.decodeReplacing([]byte(strings.Trim(h.name, " \t\n\r\v\f")))
	if h.fileName != "" {
		return r.file(name, h, content, more)
	}
	if h.base64 {
		if decoded, ok := decodeBase64(content); ok {
			content = decoded
		}
	}
	r.texts = append(r.texts, member{name, value{kind: kindText, text: r.charset.decodeReplacing(content)}})
	return nil
}

func (r *multipartReader) file(name string, h partHeader, content []byte, more bool) error {
	if r.fileSeen++; r.fileSeen > maxFiles {
		return tooMany("files", maxFiles)
	}
	fileName := baseName(r.charset.decodeReplacing([]byte(h.fileName)))
	if fileName == "" {
		return nil
	}
	if h.base64 {
		if _, ok := decodeBase64(bytes.Join(bytes.Fields(content), nil)); !ok {
			return multipartError("a file is not valid base64")
		}
	}
	if more {
		r.files = append(r.files, member{name, value{kind: kindFile, text: fileName}})
	}
	return nil
}

// partHeader is what counts of the headers of a part.
type partHeader struct {
	name     string
	named    bool
	fileName string // empty for a field
	base64   bool
}

// parsePartHeader reads the headers of a part. A line that is not UTF-8 or has no colon is passed over;
// of a header that comes twice the last counts.
func parsePartHeader(head []byte) partHeader {
	var h partHeader
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		key, rest, found := strings.Cut(string(line), ":")
		if !found || !utf8.Valid(line) {
			continue
		}
		first, params := cutHeader(rest)
		switch lowerASCII(strings.TrimRight(key, " ")) {
		case "content-disposition":
			h.name, h.named = params.get("name")
			h.fileName, _ = params.get("filename")
		case "content-transfer-encoding":
			h.base64 = first == "base64"
		}
	}
	return h
}

// baseName reduces the name of a file as Django does: what follows the last slash, without characters that
// do not print. It is empty when no name is left, and then the part is passed over.
func baseName(name string) string {
	name = html.UnescapeString(name)
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name)
	if name == "." || name == ".." {
		return ""
	}
	return name
}

// decodeBase64 decodes as Python's base64.b64decode: characters outside the alphabet are passed over, and
// a finished padding ends the text. It reports false when the last group is not whole.
func decodeBase64(encoded []byte) ([]byte, bool) {
	kept := make([]byte, 0, len(encoded))
	padding := 0
	for _, c := range encoded {
		if c == '=' {
			if position := len(kept) % 4; position >= 2 {
				if padding++; position+padding >= 4 {
					break
				}
			}
			continue
		}
		if !isBase64(c) {
			continue
		}
		padding = 0
		kept = append(kept, c)
	}
	if (len(kept)+padding)%4 != 0 {
		return nil, false
	}
	plain := make([]byte, base64.RawStdEncoding.DecodedLen(len(kept)))
	n, err := base64.RawStdEncoding.Decode(plain, kept)
	return plain[:n], err == nil
}

func isBase64(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '/'
}
