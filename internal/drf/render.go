package drf

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// Object is a JSON object whose members keep their order.
type Object []Member

// Member is one member of an Object. The value is a string, bool, int, int64, nil, Object, []string,
// []any of these, or Errors.
type Member struct {
	Name  string
	Value any
}

// Render writes an answer as DRF's JSONRenderer. With indent 0 it is compact; otherwise every level is
// indented by that many spaces. Text beyond ASCII stays as it is, but for U+2028 and U+2029, which
// JavaScript would take for line ends. No answer (nil) is an empty body.
//
// A value of a type that Member does not name is a mistake in the program, and panics.
func Render(v any, indent int) []byte {
	if v == nil {
		return nil
	}
	w := jsonWriter{out: make([]byte, 0, 192), indent: indent}
	w.value(v, 0)
	return w.out
}

type jsonWriter struct {
	out    []byte
	indent int
}

func (w *jsonWriter) value(v any, level int) {
	switch v := v.(type) {
	case nil:
		w.out = append(w.out, "null"...)
	case string:
		w.out = AppendString(w.out, v)
	case bool:
		w.out = strconv.AppendBool(w.out, v)
	case int:
		w.out = strconv.AppendInt(w.out, int64(v), 10)
	case int64:
		w.out = strconv.AppendInt(w.out, v, 10)
	case Errors:
		w.value(v.Object(), level)
	case Object:
		w.sequence('{', '}', len(v), level, func(i int) { w.member(v[i], level+1) })
	case []string:
		w.sequence('[', ']', len(v), level, func(i int) { w.out = AppendString(w.out, v[i]) })
	case []any:
		w.sequence('[', ']', len(v), level, func(i int) { w.value(v[i], level+1) })
	default:
		panic(fmt.Sprintf("drf: cannot render a %T", v))
	}
}

func (w *jsonWriter) member(m Member, level int) {
	w.out = append(AppendString(w.out, m.Name), ':')
	if w.indent > 0 {
		w.out = append(w.out, ' ')
	}
	w.value(m.Value, level)
}

// sequence writes n items between brackets, which stand together when there are none.
func (w *jsonWriter) sequence(open, end byte, n, level int, item func(int)) {
	w.out = append(w.out, open)
	for i := range n {
		if i > 0 {
			w.out = append(w.out, ',')
		}
		w.newline(level + 1)
		item(i)
	}
	if n > 0 {
		w.newline(level)
	}
	w.out = append(w.out, end)
}

func (w *jsonWriter) newline(level int) {
	if w.indent == 0 {
		return
	}
	w.out = append(w.out, '\n')
	for range level * w.indent {
		w.out = append(w.out, ' ')
	}
}

// AppendString appends s as a string of JSON, quotes included, with the escapes of Python's json. Bytes
// that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		r, size := rune(s[i]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
		}
		if escape := escapeOf(r, size); escape != "" {
			dst = append(dst, s[start:i]...)
			dst = append(dst, escape...)
			start = i + size
		}
		i += size
	}
	return append(append(dst, s[start:]...), '"')
}

// escapeOf returns what is written instead of r, of which size bytes were read; empty for r itself.
func escapeOf(r rune, size int) string {
	switch {
	case r < ' ':
		return controlEscapes[r]
	case r == '"':
		return `\"`
	case r == '\\':
		return `\\`
	case r == '\u2028':
		return `\u2028`
	case r == '\u2029':
		return `\u2029`
	case r == utf8.RuneError && size == 1:
		return "\uFFFD"
	}
	return ""
}

// controlEscapes are the escapes of U+0000 to U+001F.
var controlEscapes = func() (escapes [' ']string) {
	for c := range escapes {
		escapes[c] = fmt.Sprintf(`\u%04x`, c)
	}
	escapes['\b'], escapes['\f'], escapes['\n'], escapes['\r'], escapes['\t'] = `\b`, `\f`, `\n`, `\r`, `\t`
	return escapes
}()
