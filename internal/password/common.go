package password

import (
	"bytes"
	"cmp"
	"compress/gzip"
	_ "embed"
	"io"
	"slices"
	"sort"
	"strings"
	"sync"
)

// common is Django's CommonPasswordValidator with Django's list; see NOTICE.
type common struct{}

func (common) Validate(password string, _ Attributes) string {
	if !commonPasswords().contains(strip(lower(password))) {
		return ""
	}
	return "This password is too common."
}

//go:embed common-passwords.txt.gz
var commonPasswordsGzip []byte

// commonPasswords unpacks the list when the first password is judged: most
// processes of the command line never need it.
var commonPasswords = sync.OnceValue(func() wordList {
	unpacked, err := gzip.NewReader(bytes.NewReader(commonPasswordsGzip))
	if err != nil {
		panic("password: the embedded list of common passwords: " + err.Error())
	}
	text, err := io.ReadAll(unpacked)
	if err != nil {
		panic("password: the embedded list of common passwords: " + err.Error())
	}
	return newWordList(string(text))
})

// A wordList is a set of words in two allocations, 240 kB for Django's list,
// without a pointer for the garbage collector to follow.
type wordList struct {
	text  string
	spans []span // sorted by the words they span
}

type span struct{ from, to uint32 }

func (l wordList) word(s span) string { return l.text[s.from:s.to] }

// newWordList takes one word a line; space around a word does not count.
func newWordList(text string) wordList {
	l := wordList{text: text, spans: make([]span, 0, strings.Count(text, "\n")+1)}
	from := 0
	for line := range strings.Lines(text) {
		if word := strip(line); word != "" {
			at := from + strings.Index(line, word)
			l.spans = append(l.spans, span{from: uint32(at), to: uint32(at + len(word))})
		}
		from += len(line)
	}
	slices.SortFunc(l.spans, func(a, b span) int { return cmp.Compare(l.word(a), l.word(b)) })
	return l
}

func (l wordList) contains(word string) bool {
	_, found := sort.Find(len(l.spans), func(i int) int { return cmp.Compare(word, l.word(l.spans[i])) })
	return found
}
