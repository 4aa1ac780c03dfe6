package pages

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/message/catalog"
)

// The texts are written in English where they are used. locales/TAG.json has
// them in another language, by the English text; a text that depends on a
// number, its first argument, is an object with the plural categories of
// CLDR ("one", "other", …), in English too (locales/en.json).
//
//go:embed locales/*.json
var localeFiles embed.FS

// Language is one of the languages that pages are shown in.
type Language struct {
	tag     language.Tag
	printer *message.Printer
	texts   map[string]string // that take no arguments or any, by the English text
}

var (
	languages []*Language
	matcher   language.Matcher
)

func init() {
	builder := catalog.NewBuilder(catalog.Fallback(language.English))
	tags := []language.Tag{language.English}
	plain := make(map[language.Tag]map[string]string)
	files, err := localeFiles.ReadDir("locales")
	if err != nil {
		panic(err) // the folder is embedded
	}
	for _, file := range files {
		tag := language.MustParse(strings.TrimSuffix(file.Name(), path.Ext(file.Name())))
		texts, err := readLocale(file.Name())
		if err == nil {
			plain[tag], err = addTexts(builder, tag, texts)
		}
		if err != nil {
			panic(fmt.Sprintf("pages: locales/%s: %v", file.Name(), err)) // embedded; the tests read it
		}
		if tag != language.English {
			tags = append(tags, tag)
		}
	}
	matcher = language.NewMatcher(tags)
	for _, tag := range tags {
		languages = append(languages, &Language{tag: tag, printer: message.NewPrinter(tag, message.Catalog(builder)), texts: plain[tag]})
	}
}

// readLocale returns the texts of a language: a string, or plural forms.
func readLocale(name string) (map[string]any, error) {
	content, err := localeFiles.ReadFile("locales/" + name)
	if err != nil {
		return nil, err
	}
	var texts map[string]any
	return texts, json.Unmarshal(content, &texts)
}

// addTexts puts the texts into the catalogue and returns those without plural forms.
func addTexts(builder *catalog.Builder, tag language.Tag, texts map[string]any) (map[string]string, error) {
	plain := make(map[string]string)
	for key, text := range texts {
		var err error
		switch text := text.(type) {
		case string:
			plain[key] = text
			err = builder.SetString(tag, key, text)
		case map[string]any:
			var cases []any
			for _, category := range []string{"zero", "one", "two", "few", "many", "other"} {
				if form, ok := text[category]; ok {
					cases = append(cases, category, form)
				}
			}
			err = builder.Set(tag, key, plural.Selectf(1, "%d", cases...))
		default:
			err = fmt.Errorf("%q is neither a text nor plural forms", key)
		}
		if err != nil {
			return nil, err
		}
	}
	return plain, nil
}

// Languages returns all languages, English first.
func Languages() []*Language { return languages }

// maxAcceptLanguage is the longest header that is looked at, in bytes.
const maxAcceptLanguage = 512

// LanguageOf returns the language that suits the request's Accept-Language best.
func LanguageOf(r *http.Request) *Language {
	header := r.Header.Get("Accept-Language")
	if header == "" || len(header) > maxAcceptLanguage {
		return languages[0]
	}
	accepted, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return languages[0]
	}
	_, i, _ := matcher.Match(accepted...)
	return languages[i]
}

// Tag is the BCP 47 tag of the language, such as "de".
func (l *Language) Tag() string { return l.tag.String() }

// Text returns an English text in the language, with its arguments as
// fmt.Sprintf formats them; numbers as people of that language write them. A
// text that the language lacks stays as it is.
//
// Without arguments, a text that was put together elsewhere, such as "at least
// 12 characters", is found as the one with %d in place of its number.
func (l *Language) Text(english string, args ...any) string {
	if len(args) > 0 {
		return l.printer.Sprintf(english, args...)
	}
	if text, ok := l.texts[english]; ok {
		return text
	}
	if at := aNumber.FindStringIndex(english); at != nil {
		pattern := english[:at[0]] + "%d" + english[at[1]:]
		n, err := strconv.Atoi(english[at[0]:at[1]])
		if _, ok := l.texts[pattern]; ok && err == nil {
			return l.printer.Sprintf(pattern, n)
		}
	}
	return english
}

var aNumber = regexp.MustCompile(`[0-9]+`)

// Number writes a number as people of that language do.
func (l *Language) Number(n any) string { return l.printer.Sprint(n) }
