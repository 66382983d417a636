// Package archtest fails when an import points the wrong way.
package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tidemarkdb/tidemark"

// rules say for each package which packages of this module it may import, and
// why the line is drawn there. A package that is not listed fails the test.
var rules = []struct {
	pkg  string
	may  []string
	why  string
	with []string // packages from elsewhere that it must not import
}{
	{pkg: "", may: nil, why: "the root package holds words and contracts, never work"},
	{pkg: "internal/planted", may: nil, why: "switches for deliberate faults know nothing of what they break"},
	{pkg: "internal/lite", may: []string{""}, why: "the driver's wrapper knows values, not synchronisation"},
	{pkg: "internal/row", may: []string{"", "internal/lite"}, why: "rows are read and written by schema alone"},
	{pkg: "internal/meta", may: []string{"", "internal/lite"}, why: "bookkeeping that both sides share"},
	{pkg: "internal/schema", may: []string{"", "internal/lite", "internal/row", "internal/meta"}, why: "what a database looks like does not depend on how it syncs"},
	{pkg: "internal/capture", may: []string{"", "internal/lite", "internal/row", "internal/meta", "internal/schema", "internal/planted"}, why: "capture works the same on both sides"},
	{pkg: "internal/conflict", may: []string{"", "internal/lite", "internal/row", "internal/wire"}, why: "what people decide about a conflict is an ordinary edit of any file"},
	{pkg: "internal/ids", may: []string{""}, why: "which columns hold ids is said by the schema alone"},
	{pkg: "internal/digest", may: []string{"", "internal/planted"}, why: "sums are pure"},
	{pkg: "internal/literal", may: nil, why: "a string is a string, whatever it stands in"},
	{pkg: "internal/wire", may: []string{"", "internal/literal", "internal/planted"}, why: "the protocol is pure and can be written again in another language"},
	{pkg: "internal/splice", may: []string{"internal/literal"}, why: "patches know text, not tables"},
	{pkg: "internal/merge", may: []string{"", "internal/literal", "internal/wire", "internal/splice"}, why: "policies are pure functions of values"},
	{pkg: "internal/rules", may: []string{"", "internal/lite", "internal/row", "internal/schema", "internal/planted"}, why: "a rule judges a change and the rows beside it, whoever sent it"},
	{pkg: "internal/guards", may: []string{"", "internal/lite", "internal/schema", "internal/rules", "internal/capture", "internal/ids"}, why: "what copies check is said by the schema and the rules alone"},
	{pkg: "internal/scope", may: []string{"", "internal/lite", "internal/schema", "internal/rules"}, why: "which rows are in which scope is said by the schema and the declaration alone"},
	{pkg: "internal/policy", may: []string{"", "internal/schema", "internal/merge", "internal/rules", "internal/scope"}, why: "what is declared is checked against a schema, not a database"},
	{
		pkg:  "internal/presence",
		may:  []string{"", "internal/wire"},
		why:  "who is present is told in messages and kept nowhere",
		with: []string{"net", "net/http", "log", "log/slog", "time", "sync", "crypto/rand", "math/rand", "math/rand/v2"},
	},
	{
		pkg:  "internal/replica",
		may:  []string{"", "internal/ids", "internal/merge", "internal/splice", "internal/lite", "internal/row", "internal/meta", "internal/schema", "internal/capture", "internal/digest", "internal/wire", "internal/planted"},
		why:  "the client's engine knows neither the server's engine nor any transport",
		with: []string{"net", "net/http", "log", "log/slog", "crypto/rand", "math/rand", "math/rand/v2"},
	},
	{
		pkg:  "internal/hub",
		may:  []string{"", "internal/ids", "internal/merge", "internal/splice", "internal/schema", "internal/wire", "internal/planted"},
		why:  "the server's engine reaches its data only through tidemark.Store",
		with: []string{"net", "net/http", "log", "log/slog", "crypto/rand", "math/rand", "math/rand/v2", "database/sql"},
	},
	{
		pkg: "store/sqlite",
		may: []string{"", "internal/policy", "internal/rules", "internal/guards", "internal/scope", "internal/merge", "internal/splice", "internal/lite", "internal/row", "internal/meta", "internal/schema", "internal/capture", "internal/digest", "internal/wire", "internal/planted"},
		why: "a store knows its database, not who asks",
	},
	{
		pkg: "internal/rehearsal",
		may: []string{"", "internal/policy", "internal/rules", "internal/scope", "internal/lite", "internal/schema", "internal/capture", "store/sqlite"},
		why: "what is tried out is judged by the store that serves",
	},
	{pkg: "store/storetest", may: []string{"", "internal/dice", "internal/lite", "internal/schema", "internal/capture", "internal/wire", "internal/digest"}, why: "the contract suite judges every store alike"},
	{
		pkg: "client",
		may: []string{"", "internal/merge", "internal/splice", "internal/lite", "internal/meta", "internal/schema", "internal/capture", "internal/wire", "internal/replica", "internal/conflict", "internal/token"},
		why: "the client's shell does the I/O of its engine",
	},
	{
		pkg: "server",
		may: []string{"", "internal/policy", "internal/merge", "internal/wire", "internal/hub", "internal/presence", "internal/schema", "internal/token", "store/sqlite"},
		why: "the server's shell does the I/O of its engine",
	},
	{pkg: "internal/sample", may: []string{"", "internal/lite"}, why: "sample data is only data"},
	{pkg: "internal/tracker", may: []string{"", "internal/lite"}, why: "the demo's data is only data"},
	{pkg: "internal/page", may: nil, why: "a page is files that are served, whatever they do"},
	{pkg: "internal/typescript", may: []string{"", "internal/lite"}, why: "types are written from a schema, wherever it comes from"},
	{
		pkg: "internal/token", may: []string{""}, why: "tokens are judged by keys and time alone, which come in",
		with: []string{"net", "net/http", "os", "log", "log/slog"},
	},
	{pkg: "internal/dice", may: nil, why: "it gives every package's tests their seeds"},
	{pkg: "internal/port", may: nil, why: "it gives every package's tests their addresses"},
	{pkg: "internal/gen", may: nil, why: "a generator must build when what it generates does not"},
	{pkg: "internal/sim/disk", may: []string{"internal/lite"}, why: "a disk knows bytes, not what they mean"},
	{pkg: "internal/e2e", may: nil, why: "it holds tests only"},
	{pkg: "internal/sim/oracle", may: []string{""}, why: "the oracle shares no code with what it judges"},
	{
		pkg: "internal/sim",
		may: []string{"", "internal/policy", "internal/merge", "internal/splice", "internal/lite", "internal/row", "internal/meta", "internal/schema", "internal/capture", "internal/digest", "internal/wire", "internal/replica", "internal/hub", "internal/planted", "internal/sim/oracle", "internal/sim/disk", "store/sqlite"},
		why: "the simulator drives the engines that ship",
	},
	{
		pkg: "internal/twin",
		may: []string{"", "internal/lite", "internal/meta", "internal/capture", "internal/schema", "internal/merge", "internal/wire", "internal/replica", "internal/hub", "internal/sim", "internal/sim/disk", "store/sqlite"},
		why: "twins are driven by what the simulator's apps do, and judged by each other alone",
	},
}

func TestImportsRunOneWay(t *testing.T) {
	imports := moduleImports(t)
	for _, pkg := range sortedKeys(imports) {
		if pkg == "cmd/tidemark" || strings.HasPrefix(pkg, "examples") || strings.HasPrefix(pkg, "bench") || pkg == "internal/archtest" {
			continue // these wire everything together
		}
		i := ruleFor(pkg)
		if i < 0 {
			t.Errorf("package %s has no rule: say in archtest what it may import and why", pkg)
			continue
		}
		r := rules[i]
		allowed := map[string]bool{}
		for _, m := range r.may {
			allowed[m] = true
		}
		denied := map[string]bool{}
		for _, d := range r.with {
			denied[d] = true
		}
		for _, imp := range imports[pkg] {
			rel, own := strings.CutPrefix(imp, module)
			switch {
			case own && !allowed[strings.TrimPrefix(rel, "/")]:
				t.Errorf("%s imports %s, but %s", pkg, imp, r.why)
			case denied[imp]:
				t.Errorf("%s imports %s, but %s", pkg, imp, r.why)
			}
		}
	}
}

func ruleFor(pkg string) int {
	for i, r := range rules {
		if r.pkg == pkg {
			return i
		}
	}
	return -1
}

// moduleImports lists what the non-test files of each package import.
func moduleImports(t *testing.T) map[string][]string {
	t.Helper()
	root := filepath.Join("..", "..")
	found := map[string]map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "js" || name == "tools" || name == "testdata" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(rel)
		if pkg == "." {
			pkg = ""
		}
		if found[pkg] == nil {
			found[pkg] = map[string]bool{}
		}
		for _, spec := range f.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			found[pkg][p] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for pkg, set := range found {
		out[pkg] = sortedKeys(set)
	}
	if len(out) < 10 {
		t.Fatalf("found only %d packages: the test looks in the wrong place", len(out))
	}
	return out
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
