package auth

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxPlace is the longest text of a place, in bytes: more than the longest
// e-mail address needs.
const maxPlace = 4096

// Place is a place in a sorted list, between two rows: where a page ended. It
// stays right when rows come and go. Its text holds nothing that the list
// doesn't show.
type Place struct {
	List   string  `json:"l"`           // which list, and its order
	Key    *string `json:"k"`           // what the list is sorted by, of the row at the place; nil for NULL
	ID     string  `json:"i"`           // of the row at the place
	Before bool    `json:"b,omitempty"` // the page ends before that row; otherwise it begins after it
}

// String returns the place as a text for URLs.
func (p *Place) String() string {
	text, err := json.Marshal(p)
	if err != nil {
		return "" // a struct of texts: it can't fail
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// ParsePlace reads what String made for that list; nil for "". ErrBadPlace if
// it is anything else.
func ParsePlace(text, list string) (*Place, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxPlace {
		return nil, ErrBadPlace
	}
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, ErrBadPlace
	}
	var p Place
	if json.Unmarshal(decoded, &p) != nil || p.List != list || !isText(p.ID) || p.Key != nil && !isText(*p.Key) {
		return nil, ErrBadPlace
	}
	return &p, nil
}

func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// Number is the place's id as a number; ErrBadPlace if it is none.
func (p *Place) Number() (int64, error) {
	n, err := strconv.ParseInt(p.ID, 10, 64)
	if err != nil {
		return 0, ErrBadPlace
	}
	return n, nil
}

// Name is what the places of a list of users in this order are marked with.
func (l *UserList) Name() string {
	name := "users" + strconv.Itoa(int(l.Sort))
	if l.Descending {
		name += "d"
	}
	return name
}

// PageLimit is how many rows a page has that asks for n.
func PageLimit(n int) int {
	if n <= 0 {
		return 100
	}
	return min(n, MaxPage)
}
