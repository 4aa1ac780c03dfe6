package drf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep arrays and objects of a JSON body may nest.
const MaxDepth = 64

// Why a JSON body is refused although it is well formed.
var (
	errTooDeep   = fmt.Errorf("nested deeper than %d levels", MaxDepth)
	errTooLong   = fmt.Errorf("a number of more than %d digits", maxIntDigits)
	errTrailing  = errors.New("text after the value")
	errEncoding  = errors.New("the body is not in its charset")
	errTruncated = errors.New("the text ends too early")
)

// parseJSON reads what Python's json.loads reads with strict=True, of names given twice the last,
// without NaN and Infinity. Stricter than Python: no lone surrogates, no depth over MaxDepth.
func parseJSON(body []byte, cs charset) (Data, error) {
	if cs != utf8Text {
		decoded, ok := cs.decode(body)
		if !ok {
			return Data{}, ParseError("JSON", errEncoding.Error())
		}
		body = []byte(decoded)
	}
	r := jsonReader{jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))}
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

type jsonReader struct{ *jsontext.Decoder }

// document reads the one value of a body.
func (r jsonReader) document() (Data, error) {
	token, err := r.ReadToken()
	if err != nil {
		return Data{}, err
	}
	var data Data
	if token.Kind() == '{' {
		data.members, err = r.members()
	} else {
		var v value
		v, err = r.value(token)
		data.top = v.kind
	}
	if err != nil {
		return Data{}, err
	}
	if _, err := r.ReadToken(); err == nil {
		return Data{}, errTrailing
	} else if !errors.Is(err, io.EOF) {
		return Data{}, err
	}
	return data, nil
}

// members reads the members of the outermost object up to its closing brace.
func (r jsonReader) members() ([]member, error) {
	members := make([]member, 0, 4)
	for {
		token, err := r.ReadToken()
		if err != nil {
			return nil, err
		}
		if token.Kind() == '}' {
			return members, nil
		}
		name := token.String()
		if token, err = r.ReadToken(); err != nil {
			return nil, err
		}
		v, err := r.value(token)
		if err != nil {
			return nil, err
		}
		members = append(members, member{name, v})
	}
}

// value reads the rest of the value that starts with token. Of arrays and objects only the kind is kept.
func (r jsonReader) value(token jsontext.Token) (value, error) {
	switch token.Kind() {
	case '"':
		return value{kindText, token.String()}, nil
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
func (r jsonReader) skip() error {
	for depth := r.StackDepth(); r.StackDepth() >= depth; {
		if r.StackDepth() > MaxDepth {
			return errTooDeep
		}
		token, err := r.ReadToken()
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
		return value{kindFloat, floatText(f)}, nil
	}
	if len(strings.TrimPrefix(raw, "-")) > maxIntDigits {
		return value{}, errTooLong
	}
	if raw == "-0" {
		raw = "0"
	}
	return value{kindInt, raw}, nil
}
