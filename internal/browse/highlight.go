package browse

import (
	"html/template"
	"strings"
)

// highlight marks up JSON as drf.Render writes it: keys, strings and literals
// get a class each. Everything is escaped.
func highlight(json []byte) template.HTML {
	var b strings.Builder
	text := string(json)
	for len(text) > 0 {
		n := token(text)
		word := template.HTMLEscapeString(text[:n])
		rest := text[n:]
		switch c := text[0]; {
		case c == '"' && strings.HasPrefix(rest, ":"):
			b.WriteString(`<span class="k">` + word + `</span>`)
		case c == '"':
			b.WriteString(`<span class="s">` + word + `</span>`)
		case strings.IndexByte("{}[],: \n", c) < 0:
			b.WriteString(`<span class="l">` + word + `</span>`)
		default:
			b.WriteString(word)
		}
		text = rest
	}
	return template.HTML(b.String())
}

// token is the length of the first token of text, which is not empty.
func token(text string) int {
	const structure = "{}[],: \n"
	switch {
	case text[0] == '"':
		for i := 1; i < len(text); i++ {
			switch text[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return len(text)
	case strings.IndexByte(structure, text[0]) >= 0:
		return 1
	}
	if end := strings.IndexAny(text, structure+`"`); end > 0 {
		return end
	}
	return len(text)
}
