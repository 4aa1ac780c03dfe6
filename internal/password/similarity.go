package password

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// attributeSimilarity is Django's UserAttributeSimilarityValidator: the
// password must not be made of the letters of what is known of the user.
type attributeSimilarity struct{ maxSimilarity float64 }

func (v attributeSimilarity) Validate(password string, who Attributes) string {
	bag := newBag(lower(password))
	for _, attribute := range []struct{ name, value string }{
		{"username", who.Username},
		{"first name", who.FirstName},
		{"last name", who.LastName},
		{"email address", who.Email},
	} {
		if attribute.value != "" && v.similar(bag, lower(attribute.value)) {
			return fmt.Sprintf("The password is too similar to the %s.", attribute.name)
		}
	}
	return ""
}

// similar compares with the whole value and each word in it: with every part
// of re.split(r"\W+", value) + [value].
func (v attributeSimilarity) similar(password *bag, value string) bool {
	for rest := value; ; {
		end := strings.IndexFunc(rest, isNotWord)
		if end < 0 {
			return v.alike(password, rest) || v.alike(password, value)
		}
		if v.alike(password, rest[:end]) {
			return true
		}
		rest = strings.TrimLeftFunc(rest[end:], isNotWord)
	}
}

func (v attributeSimilarity) alike(password *bag, part string) bool {
	length := utf8.RuneCountInString(part)
	if v.farShorter(password.size, length) {
		return false
	}
	return password.quickRatio(part, length) >= v.maxSimilarity
}

// farShorter is Django's exceeds_maximum_length_ratio: a part so much shorter
// than the password is not compared, as it could not reach the ratio.
func (v attributeSimilarity) farShorter(password, part int) bool {
	return password >= 10*part && float64(part) < v.maxSimilarity/2*float64(password)
}

// A bag counts the characters of a text.
type bag struct {
	size   int
	counts map[rune]int
}

func newBag(text string) *bag {
	b := &bag{counts: make(map[rune]int)}
	for _, r := range text {
		b.counts[r]++
		b.size++
	}
	return b
}

// quickRatio is quick_ratio of Python's difflib.SequenceMatcher: twice the
// number of characters in common, whatever their order, over the number of all.
// length is that of other, in characters. It takes the time of reading other.
func (b *bag) quickRatio(other string, length int) float64 {
	if b.size+length == 0 {
		return 1
	}
	matches := 0
	seen := make(map[rune]int)
	for _, r := range other {
		if seen[r] < b.counts[r] {
			matches++
		}
		seen[r]++
	}
	return 2 * float64(matches) / float64(b.size+length)
}
