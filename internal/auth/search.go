package auth

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// SearchWord is a word of UserList.Search.
type SearchWord struct {
	Text     string
	Anywhere bool // it need not be at the beginning
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// Pattern is the pattern of LIKE, with the escape character "\", for what
// matches the word.
func (w SearchWord) Pattern() string {
	pattern := likeEscaper.Replace(w.Text) + "%"
	if w.Anywhere {
		pattern = "%" + pattern
	}
	return pattern
}

// Beyond is greater than every text that begins with the word, byte by byte:
// no text has the noncharacter.
func (w SearchWord) Beyond() string { return w.Text + "\U0010FFFF" }

// SearchWords returns the words of a search, those first that must be at the
// beginning, the longest of them first. It is not possible for anyone to match
// more than MaxSearchWords words, a word longer than every column, or what
// is no text.
func SearchWords(search string) (words []SearchWord, possible bool) {
	if !isText(search) {
		return nil, false
	}
	for _, field := range strings.Fields(search) {
		text, anywhere := strings.CutPrefix(field, "*")
		if text == "" {
			continue
		}
		if utf8.RuneCountInString(text) > MaxEmail || len(words) == MaxSearchWords {
			return nil, false
		}
		words = append(words, SearchWord{Text: text, Anywhere: anywhere})
	}
	slices.SortStableFunc(words, func(a, b SearchWord) int {
		if a.Anywhere != b.Anywhere {
			if b.Anywhere {
				return -1
			}
			return 1
		}
		return len(b.Text) - len(a.Text)
	})
	return words, true
}
