package sqlstore

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Ready is only as good as its list: every constant that holds a statement
// must be in it.
func TestReadyTriesEveryStatement(t *testing.T) {
	// What is run before there are tables, or only if there is one more.
	elsewhere := []string{"selectAnyTable", "selectTableNamed", "selectTables", "selectMigrations", "deleteUserAdminLog",
		"selectApplied", "selectColumns", "selectReferences", "selectAnyRow", "selectIndexNamed", "selectRuleSQL"}
	statement := regexp.MustCompile("^[\"`](select|insert|update|delete) ")
	listed := identifiers(t, "statements.go")
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, entry := range files {
		if !strings.HasSuffix(entry.Name(), ".go") || strings.HasSuffix(entry.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), entry.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) == 0 || !statement.MatchString(leftmost(spec.Values[0])) {
				return true
			}
			found++
			if name := spec.Names[0].Name; !slices.Contains(listed, name) && !slices.Contains(elsewhere, name) {
				t.Errorf("%s is not among the statements that Ready tries", name)
			}
			return true
		})
	}
	if found < 20 {
		t.Errorf("found only %d statements: does the test still look at the right thing?", found)
	}
}

// leftmost returns the first literal of a concatenation.
func leftmost(e ast.Expr) string {
	for {
		switch x := e.(type) {
		case *ast.BinaryExpr:
			e = x.X
		case *ast.BasicLit:
			return x.Value
		default:
			return ""
		}
	}
}

func identifiers(t *testing.T, name string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			names = append(names, id.Name)
		}
		return true
	})
	return names
}
