package auth

import (
	"encoding/base64"
	"encoding/json"
	"slices"
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
	ByRow  bool    `json:"r,omitempty"` // the key is too long or no text: it is read from the row at the place
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

// maxPlaceKey is the longest key in a place, in bytes; see Place.ByRow.
const maxPlaceKey = 1024

// SetKey sets a place's key to a text that sorts a list, or has the key read
// from the row if the text fits no place.
func (p *Place) SetKey(key string) {
	if len(key) > maxPlaceKey || !isText(key) {
		p.ByRow = true
		return
	}
	p.Key = &key
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

// Turned is a part of a list that was read from a place, in the direction
// that the place asks for.
type Turned[T any] struct {
	Rows  []T // up to one more than Limit, which says that there are more
	Limit int
	From  *Place // where it was read from; nil: from the start
	// Stopped is where reading was given up before there were enough rows;
	// nil if it was not.
	Stopped *Place
	// At is the place of a row, without direction.
	At func(T) *Place
}

// Page returns the rows in the order of the list, and the texts of the places
// of the pages after and before, "" if there are none.
func (t *Turned[T]) Page() (rows []T, next, previous string) {
	rows = t.Rows
	more := len(rows) > t.Limit
	rows = rows[:min(t.Limit, len(rows))]
	back := t.From != nil && t.From.Before
	var onward, home string // in the direction of reading, and against it
	switch {
	case more:
		onward = t.placed(t.At(rows[len(rows)-1]), back)
	case t.Stopped != nil:
		onward = t.placed(t.Stopped, back)
	}
	if t.From != nil && len(rows) > 0 {
		home = t.placed(t.At(rows[0]), !back)
	}
	if back {
		slices.Reverse(rows)
		return rows, home, onward
	}
	return rows, onward, home
}

func (t *Turned[T]) placed(p *Place, before bool) string {
	p.Before = before
	return p.String()
}
