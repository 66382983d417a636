package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The tests of some packages do without the race detector, because nothing in
// them runs at the same time. The Makefile names them.
func TestNothingRunsAtTheSameTimeWhereNoDetectorLooks(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^CALM := (.*)$`).FindSubmatch(text)
	if line == nil {
		t.Fatal("the Makefile names no packages that do without the race detector")
	}
	for _, pkg := range strings.Fields(string(line[1])) {
		files, err := filepath.Glob(filepath.Join(root, pkg, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no files, %v", pkg, err)
		}
		for _, path := range files {
			fset := token.NewFileSet()
			f, err := parser.ParseFile(fset, path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, at := range started(f) {
				t.Errorf("%s starts something beside itself: move %s from CALM to BOTH, and name the test under RACE", fset.Position(at), pkg)
			}
		}
	}
}

// started finds what goes on at the same time: go statements, methods Go of a
// group, tests that are parallel.
func started(f *ast.File) []token.Pos {
	var found []token.Pos
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, n.Pos())
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && (sel.Sel.Name == "Go" || sel.Sel.Name == "Parallel" || sel.Sel.Name == "RunParallel") {
				found = append(found, n.Pos())
			}
		}
		return true
	})
	return found
}
