package pages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The rooms that have pages.
var rooms = []string{".", "../admin", "../browse", "../openapi"}

var (
	inTemplate = regexp.MustCompile(`\bt "((?:[^"\\]|\\.)*)"`)
	isText     = regexp.MustCompile(`^[A-Z][a-z].*|^[A-Z] .*`)
	isHeader   = regexp.MustCompile(`^[A-Z][A-Za-z]*(-[A-Z][A-Za-z]*)*$`)
)

// textsOf finds the English texts of a room: those of its templates, and in
// its Go files what reads like a label or a sentence.
func textsOf(t *testing.T, room string) (texts []string) {
	t.Helper()
	templates, err := filepath.Glob(filepath.Join(room, "templates", "*.html"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range templates {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range inTemplate.FindAllStringSubmatch(string(content), -1) {
			text, err := strconv.Unquote(`"` + found[1] + `"`)
			if err != nil {
				t.Fatalf("%s: %q: %v", name, found[1], err)
			}
			texts = append(texts, text)
		}
	}
	if room == "." {
		return texts // its Go has no texts of its own
	}
	sources, err := filepath.Glob(filepath.Join(room, "*.go"))
	if room == "../openapi" {
		sources = []string{"../openapi/operations.go"} // the document itself is in English
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		found := textsIn(file)
		if room == "../openapi" {
			found = descriptionsIn(file)
		}
		texts = append(texts, found...)
	}
	return texts
}

func textsIn(file *ast.File) (texts []string) {
	headers := map[ast.Node]bool{} // h["Content-Type"], h.Get("Origin")
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec, *ast.Field:
			return false
		case *ast.IndexExpr:
			headers[n.Index] = true
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Get", "Set", "Add", "Del"}, f.Sel.Name) && len(n.Args) > 0 {
				headers[n.Args[0]] = true
			}
		case *ast.BasicLit:
			text, err := strconv.Unquote(n.Value)
			if n.Kind == token.STRING && err == nil && isText.MatchString(text) && !(headers[n] && isHeader.MatchString(text)) {
				texts = append(texts, text)
			}
		}
		return true
	})
	return texts
}

// descriptionsIn finds the values of the fields Description.
func descriptionsIn(file *ast.File) (texts []string) {
	ast.Inspect(file, func(n ast.Node) bool {
		pair, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		key, _ := pair.Key.(*ast.Ident)
		if value, ok := pair.Value.(*ast.BasicLit); ok && key != nil && key.Name == "Description" {
			if text, err := strconv.Unquote(value.Value); err == nil {
				texts = append(texts, text)
			}
		}
		return true
	})
	return texts
}

// untranslated are names that are the same everywhere, and what comes from
// somewhere else in English.
var untranslated = []string{"Postern", "Cookie", "Access-Control-", "Accept", "Host", "Origin", "Register Api", "Login Api", "Logout Api", "User Status Api", "Protected Api"}

func TestEveryTextIsInEveryLanguage(t *testing.T) {
	found := map[string]bool{}
	for _, room := range rooms {
		for _, text := range textsOf(t, room) {
			found[text] = !slices.Contains(untranslated, text) && !(isHeader.MatchString(text) && strings.Contains(text, "-"))
		}
	}
	if len(found) < 100 {
		t.Fatalf("only %d texts were found", len(found))
	}
	for _, l := range Languages()[1:] {
		texts, err := readLocale(l.Tag() + ".json")
		if err != nil {
			t.Fatal(err)
		}
		for text, wanted := range found {
			translated, ok := texts[text]
			if wanted && !ok {
				t.Errorf("%s lacks %q", l.Tag(), text)
			}
			one, _ := translated.(string)
			if ok && one != "" && strings.Count(one, "%") != strings.Count(text, "%") {
				t.Errorf("%s: %q has other arguments than %q", l.Tag(), one, text)
			}
		}
	}
}
