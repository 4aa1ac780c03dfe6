package password

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const (
	tooShort = "This password is too short. It must contain at least 8 characters."
	tooPlain = "This password is too common."
	allDigit = "This password is entirely numeric."
	likeName = "The password is too similar to the username."
	likeMail = "The password is too similar to the email address."
)

func TestValidatorsSayWhatDjangoSays(t *testing.T) {
	t.Parallel()
	john := Attributes{Username: "john.smith", FirstName: "Jonathan", LastName: "Smithers-Jones", Email: "jsmith@example.com"}
	tests := map[string]struct {
		password string
		who      Attributes
		want     []string
	}{
		"a good password":                    {"correct horse battery staple", john, nil},
		"a good password of a nobody":        {"zk4-Tortoise", Attributes{}, nil},
		"nothing":                            {"", Attributes{}, []string{tooShort}},
		"everything at once, in order":       {"1234", Attributes{Username: "1234"}, []string{likeName, tooShort, tooPlain, allDigit}},
		"seven characters":                   {"zk4-Tor", john, []string{tooShort}},
		"eight characters of many bytes":     {"ключ-鍵-🔑", john, nil},
		"seven characters of many bytes":     {"ключ-鍵-", john, []string{tooShort}},
		"a common password":                  {"password123", john, []string{tooPlain}},
		"a common password in capitals":      {"PassWord123", john, []string{tooPlain}},
		"a common password in space":         {" \t\x1c\u3000password123\u0085\u00a0", john, []string{tooPlain}},
		"space inside counts":                {"pass word123", john, nil},
		"a common password in Cyrillic":      {"Пароль", john, []string{tooShort, tooPlain}},
		"the first of the common passwords":  {"000000", Attributes{}, []string{tooShort, tooPlain, allDigit}},
		"digits of another script":           {"٧٤٩٢٠١٨٣", john, []string{allDigit}},
		"superscripts and circled digits":    {"²³⁴①②③⓪❼", john, []string{allDigit}},
		"numbers that are no digits":         {"ⅧⅧⅧⅧ½½½½", john, nil},
		"digits and a letter":                {"74920183x", john, nil},
		"digits and a space":                 {" 74920183", john, nil},
		"the username":                       {"john.smith", john, []string{likeName}},
		"the username backwards":             {"htims.nhoj", john, []string{likeName}},
		"the username in capitals and more":  {"JOHN.SMITH99", john, []string{likeName}},
		"a word of the last name":            {"smithers1", john, []string{likeName}},
		"the other word of the last name":    {"enojsenojs", Attributes{LastName: "Smithers-Jones"}, nil},
		"a first name":                       {"jonathan7", john, []string{"The password is too similar to the first name."}},
		"a last name":                        {"xsmithersx", Attributes{LastName: "Smithers-Jones"}, []string{"The password is too similar to the last name."}},
		"the host of an address":             {"example.com", Attributes{Email: "a@example.com"}, []string{likeMail}},
		"a word of the host of an address":   {"eexample", Attributes{Email: "a@example.com"}, []string{likeMail}},
		"an underscore joins words":          {"zebrazebra", Attributes{Username: "zebra_crossing_at_night"}, nil},
		"a hyphen parts words":               {"zebrazeb", Attributes{Username: "zebrazeb-crossing-at-night"}, []string{likeName}},
		"two thirds alike are not too many":  {"qzwxec123", Attributes{Username: "qzwxec456"}, nil},
		"seven tenths alike are too many":    {"qzwxecv123", Attributes{Username: "qzwxecv456"}, []string{likeName}},
		"a password ten times the length":    {strings.Repeat("a", 100), Attributes{Username: "aaaaaaaaaa"}, nil},
		"a dotted capital I becomes two":     {"i̇i̇i̇i̇", Attributes{Username: "İİİİ"}, []string{likeName}},
		"a sigma at the end of a word":       {"οδυσσευς", Attributes{Username: "ΟΔΥΣΣΕΥΣ"}, []string{likeName}},
		"an empty part, an empty password":   {"", Attributes{Username: "@ab"}, []string{likeName, tooShort}},
		"parts of nothing but punctuation":   {"zk4-Tortoise", Attributes{Username: "@@..@@"}, nil},
		"an attribute that is not UTF-8":     {"zk4-Tortoise", Attributes{Username: "\xff\xfe"}, nil},
		"a password that is not UTF-8 alike": {"zk4-\xff\xfe\xfd\xfc", john, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, Validate(Validators(8), test.password, test.who)); diff != "" {
				t.Errorf("Validate(%q, %+v), want -, got +:\n%s", test.password, test.who, diff)
			}
		})
	}
}

func TestTheMinimumLengthCountsAndSpeaksProperly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		least    int
		password string
		want     string
	}{
		{1, "", "This password is too short. It must contain at least 1 character."},
		{1, "é", ""},
		{2, "é", "This password is too short. It must contain at least 2 characters."},
		{12, strings.Repeat("é", 11), "This password is too short. It must contain at least 12 characters."},
		{12, strings.Repeat("é", 12), ""},
	}
	for _, test := range tests {
		if got := minimumLength(test.least).Validate(test.password, Attributes{}); got != test.want {
			t.Errorf("minimumLength(%d).Validate(%q) = %q, want %q", test.least, test.password, got, test.want)
		}
	}
}

func TestTheListOfCommonPasswordsIsWholeAndSorted(t *testing.T) {
	t.Parallel()
	list := commonPasswords()
	if len(list.spans) != 19640 {
		t.Errorf("%d words, want 19640", len(list.spans))
	}
	for i, s := range list.spans {
		word := list.word(s)
		if word != strip(lower(word)) || word == "" {
			t.Errorf("%q is not as passwords are compared", word)
		}
		if i > 0 && word < list.word(list.spans[i-1]) {
			t.Errorf("%q is out of order", word)
		}
		if (common{}).Validate(word, Attributes{}) != tooPlain {
			t.Errorf("%q is not found", word)
		}
	}
}

func TestAWordListHoldsItsWordsWithoutTheSpaceAround(t *testing.T) {
	t.Parallel()
	list := newWordList("b\n a a \r\n\n\t\nc")
	for word, want := range map[string]bool{"a a": true, "b": true, "c": true, "": false, "a": false, " a a ": false, "d": false} {
		if list.contains(word) != want {
			t.Errorf("contains(%q) = %v", word, !want)
		}
	}
}

// The table is the output of difflib.SequenceMatcher(a=a, b=b).quick_ratio().
func TestTheRatioIsThatOfDifflib(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want float64
	}{
		{"", "", 1},
		{"", "a", 0},
		{"a", "", 0},
		{"abcd", "bcde", 0.75},
		{"abcd", "dcba", 1},
		{"aab", "abb", 0.6666666666666666},
		{"A", "AAAAAAAAAA", 0.18181818181818182},
		{"éa", "e\u0301a", 0.4},
		{"john.smith1", "john.smith", 0.9523809523809523},
	} {
		if got := newBag(test.a).quickRatio(test.b, utf8.RuneCountInString(test.b)); got != test.want {
			t.Errorf("quickRatio(%q, %q) = %v, want %v", test.a, test.b, got, test.want)
		}
	}
}

func TestTheRatioIsSymmetricAndBetween0And1(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.String().Draw(t, "a"), rapid.String().Draw(t, "b")
		ab := newBag(a).quickRatio(b, utf8.RuneCountInString(b))
		ba := newBag(b).quickRatio(a, utf8.RuneCountInString(a))
		if ab != ba || ab < 0 || ab > 1 || math.IsNaN(ab) {
			t.Errorf("%v and %v", ab, ba)
		}
	})
}

func TestWeakCarriesItsMessages(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("register: %w", &Weak{Messages: []string{tooShort, tooPlain}})
	var weak *Weak
	if !errors.As(err, &weak) || len(weak.Messages) != 2 {
		t.Fatalf("%v is not a *Weak", err)
	}
	if want := "weak password: " + tooShort + " " + tooPlain; weak.Error() != want {
		t.Errorf("Error() = %q, want %q", weak.Error(), want)
	}
}

// FuzzValidate holds for any form that somebody sends in.
func FuzzValidate(f *testing.F) {
	f.Add("password123", "john", "John", "Smith", "john@example.com")
	f.Add("", "@ab", "", "", "")
	f.Add("ΟΔΥΣΣΕΥΣ\xff", "İİ_١", "²", "\x1c", "a.b-c@d")
	vs := Validators(8)
	f.Fuzz(func(t *testing.T, password, username, first, last, email string) {
		if len(password)+len(username)+len(first)+len(last)+len(email) > 16<<10 {
			t.Skip("longer than any form")
		}
		who := Attributes{Username: username, FirstName: first, LastName: last, Email: email}
		got := Validate(vs, password, who)
		if diff := cmp.Diff(got, Validate(vs, password, who)); diff != "" {
			t.Errorf("two answers:\n%s", diff)
		}
		has := map[string]bool{}
		for _, message := range got {
			if has[message] {
				t.Errorf("%q twice", message)
			}
			has[message] = true
		}
		if len(got) > len(vs) {
			t.Errorf("%d messages of %d validators", len(got), len(vs))
		}
		if has[tooShort] != (utf8.RuneCountInString(password) < 8) {
			t.Errorf("%q: %q", password, got)
		}
		similar := strings.Contains(strings.Join(got, ""), "too similar")
		if username != "" && password == username && !similar {
			t.Errorf("%q is not similar to itself", password)
		}
		if who == (Attributes{}) && similar {
			t.Errorf("%q is similar to nothing", password)
		}
		if password == "" && (has[tooPlain] || has[allDigit]) {
			t.Errorf("nothing is %q", got)
		}
	})
}
