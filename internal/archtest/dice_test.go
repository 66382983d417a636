package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const dice = module + "/internal/dice"

// sources are what a test may take from math/rand: whatever is given its seed.
var sources = map[string]bool{
	"New": true, "NewPCG": true, "NewChaCha8": true, "NewZipf": true,
	"Rand": true, "PCG": true, "ChaCha8": true, "Source": true, "Zipf": true,
}

// A run of CI tries the same cases as the run before: what is drawn in tests is
// drawn with a seed that internal/dice knows of.
func TestNoTestRollsDiceOfItsOwn(t *testing.T) {
	root := filepath.Join("..", "..")
	files, rapid := 0, map[string]bool{}
	seeded := map[string]bool{filepath.Join(root, "internal", "dice"): true}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "js") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		files++
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, 0)
		if err != nil {
			return err
		}
		for name, from := range importsOf(f) {
			switch from {
			case "pgregory.net/rapid":
				rapid[filepath.Dir(path)] = true
			case dice:
				seeded[filepath.Dir(path)] = true
			case "math/rand", "math/rand/v2":
				for _, at := range globals(f, name) {
					t.Errorf("%s draws from the source that all share: take internal/dice", fset.Position(at))
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir := range rapid {
		if !seeded[dir] {
			t.Errorf("the tests of %s use rapid without a seed: import internal/dice for its effect", dir)
		}
	}
	if files < 100 || len(rapid) == 0 {
		t.Fatalf("%d files, rapid in %d packages: the test looks in the wrong place", files, len(rapid))
	}
}

// importsOf gives for each name in the file what it stands for.
func importsOf(f *ast.File) map[string]string {
	found := map[string]string{}
	for _, spec := range f.Imports {
		path, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		name := strings.TrimSuffix(path, "/v2")
		name = name[strings.LastIndexByte(name, '/')+1:]
		if spec.Name != nil && spec.Name.Name != "_" {
			name = spec.Name.Name
		}
		found[name] = path
	}
	return found
}

// globals finds what is taken from a package of random numbers that has no seed.
func globals(f *ast.File, name string) []token.Pos {
	var found []token.Pos
	ast.Inspect(f, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == name && x.Obj == nil && !sources[sel.Sel.Name] {
				found = append(found, sel.Pos())
			}
		}
		return true
	})
	return found
}
