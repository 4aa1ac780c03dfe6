package drf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Limits of a JSON body.
const (
	// MaxDepth is how deep arrays and objects may nest.
	MaxDepth = 64
	// MaxMembers is the maximum number of members and items of all objects and arrays together. A member
	// that comes twice counts twice.
	MaxMembers = 1000
)

// Why a JSON body is refused although it is well formed.
var (
	errTooMany   = fmt.Errorf("more than %d members and items", MaxMembers)
	errTooDeep   = fmt.Errorf("nested deeper than %d levels", MaxDepth)
	errTooLong   = fmt.Errorf("a number of more than %d digits", maxIntDigits)
	errTrailing  = errors.New("text after the value")
	errEncoding  = errors.New("the body is not in its charset")
	errTruncated = errors.New("the text ends too early")
)

// parseJSON reads what Python's json.loads reads with strict=True, of names given twice the last,
// without NaN and Infinity. Stricter than Python: no depth over MaxDepth, no more members and items than
// MaxMembers.
func parseJSON(body []byte, cs *charset) (Data, error) {
	if cs != utf8Text || !utf8.Valid(body) {
		decoded, ok := cs.decodeStream(body)
		if !ok {
			return Data{}, ParseError("JSON", errEncoding.Error())
		}
		body = decoded
	}
	// The body is UTF-8 by now: what the decoder lets pass are lone surrogates.
	r := &jsonReader{
		Decoder: jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)),
		body:    body,
	}
	data, err := r.document()
	if err != nil {
		return Data{}, ParseError("JSON", jsonErrorText(err))
	}
	return data, nil
}

// jsonErrorText words an error without quoting the body, which may hold a password.
func jsonErrorText(err error) string {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errTruncated
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("malformed at byte %d", syntax.ByteOffset)
	}
	return err.Error()
}

type jsonReader struct {
	*jsontext.Decoder
	body    []byte
	members int // members and items read so far
}

// next reads a token. It counts a member at its name and an item at its first token, so that what is
// over MaxMembers is refused before it takes memory.
func (r *jsonReader) next() (jsontext.Token, error) {
	within, tokens := r.StackIndex(r.StackDepth())
	token, err := r.ReadToken()
	if err != nil {
		return token, err
	}
	if kind := token.Kind(); kind == '}' || kind == ']' {
		return token, nil
	}
	// Of an object names and values are tokens; at an even number stands a name.
	if within == '[' || within == '{' && tokens%2 == 0 {
		if r.members++; r.members > MaxMembers {
			return token, errTooMany
		}
	}
	return token, nil
}

// document reads the one value of a body.
func (r *jsonReader) document() (Data, error) {
	token, err := r.next()
	if err != nil {
		return Data{}, err
	}
	var data Data
	if token.Kind() == '{' {
		data.members, err = r.object()
	} else {
		var v value
		v, err = r.value(token)
		data.top = v.kind
	}
	if err != nil {
		return Data{}, err
	}
	if _, err := r.next(); err == nil {
		return Data{}, errTrailing
	} else if !errors.Is(err, io.EOF) {
		return Data{}, err
	}
	return data, nil
}

// object reads the members of the outermost object up to its closing brace.
func (r *jsonReader) object() ([]member, error) {
	members := make([]member, 0, 4)
	for {
		token, err := r.next()
		if err != nil {
			return nil, err
		}
		if token.Kind() == '}' {
			return members, nil
		}
		name := token.String()
		start := r.InputOffset()
		if token, err = r.next(); err != nil {
			return nil, err
		}
		v, err := r.value(token)
		if err != nil {
			return nil, err
		}
		if v.kind == kindText {
			v.surrogate = loneSurrogate(r.body[start:r.InputOffset()])
		}
		members = append(members, member{name, v})
	}
}

// value reads the rest of the value that starts with token. Of arrays and objects only the kind is kept.
func (r *jsonReader) value(token jsontext.Token) (value, error) {
	switch token.Kind() {
	case '"':
		return value{kind: kindText, text: token.String()}, nil
	case '0':
		return number(token.String())
	case 't', 'f':
		return value{kind: kindBool}, nil
	case 'n':
		return value{kind: kindNull}, nil
	case '[':
		return value{kind: kindList}, r.skip()
	default:
		return value{kind: kindDict}, r.skip()
	}
}

// skip reads up to the end of the array or object just opened.
func (r *jsonReader) skip() error {
	for depth := r.StackDepth(); r.StackDepth() >= depth; {
		if r.StackDepth() > MaxDepth {
			return errTooDeep
		}
		token, err := r.next()
		if err != nil {
			return err
		}
		if token.Kind() == '0' {
			if _, err := number(token.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// number turns a number of JSON into what Python's str makes of it: an integer keeps every digit, the
// rest becomes a float of 64 bits, too large ones infinite.
func number(raw string) (value, error) {
	if strings.ContainsAny(raw, ".eE") {
		f, _ := strconv.ParseFloat(raw, 64)
		return value{kind: kindFloat, text: floatText(f)}, nil
	}
	if len(strings.TrimPrefix(raw, "-")) > maxIntDigits {
		return value{}, errTooLong
	}
	if raw == "-0" {
		raw = "0"
	}
	return value{kind: kindInt, text: raw}, nil
}

// loneSurrogate finds the first escape of a JSON string that is half a pair
// without the other half, 0 for none. What stands before the string is passed
// over.
func loneSurrogate(raw []byte) rune {
	if !bytes.Contains(raw, []byte(`\u`)) {
		return 0
	}
	for len(raw) > 0 {
		n := 1
		if raw[0] == '\\' {
			n = 2
		}
		if r := escapedSurrogate(raw); r != 0 {
			if utf16.DecodeRune(r, escapedSurrogate(raw[6:])) == utf8.RuneError {
				return r
			}
			n = 12
		}
		raw = raw[n:]
	}
	return 0
}

// escapedSurrogate returns the surrogate whose escape raw begins with, 0 for
// none.
func escapedSurrogate(raw []byte) rune {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0
	}
	if r, err := strconv.ParseUint(string(raw[2:6]), 16, 16); err == nil && utf16.IsSurrogate(rune(r)) {
		return rune(r)
	}
	return 0
}
