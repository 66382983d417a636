package typescript

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGolden compares what comes of testdata/NAME.sql with testdata/NAME.ts, and
// fails for a file without its other half.
func TestGolden(t *testing.T) {
	for name, o := range map[string]Options{
		"plain": {Source: "shop.sqlite"}, "odd": {Source: "http://127.0.0.1:7420/*/odd"}, "bigint": {BigInt: true, Source: "big.sqlite"}, "empty": {},
	} {
		t.Run(name, func(t *testing.T) {
			sql, err := os.ReadFile(filepath.Join("testdata", name+".sql"))
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".ts")
			got := write(t, string(sql), o)
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v; got:\n%s", err, got)
			}
		})
	}
	files, err := filepath.Glob("testdata/*")
	if err != nil || len(files) != 8 {
		t.Errorf("%v: testdata has files that no test reads: %v", err, files)
	}
}

func write(t *testing.T, sql string, o Options) []byte {
	t.Helper()
	all, err := Relations(inspect(t, sql))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Write(&b, all, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func inspect(t *testing.T, sql string) *tidemark.Schema {
	t.Helper()
	db, err := lite.Open(":memory:", lite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.Script(sql); err != nil {
		t.Fatal(err)
	}
	s, _, err := schema.Inspect(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// FuzzNames writes tables of any name: no name breaks out of its place, and no
// two types have one name.
func FuzzNames(f *testing.F) {
	f.Add("task", "Task insert")
	f.Add("*/ x", "'\"`\n\u2028")
	f.Add("1", "__proto__")
	f.Add("Tables", "tableName")
	f.Fuzz(func(t *testing.T, a, b string) {
		all := []Relation{{Name: a, Columns: []Column{{Name: b}}}, {Name: b, Columns: []Column{{Name: a, Type: "INT"}}}}
		var out bytes.Buffer
		if err := Write(&out, all, Options{Source: a}); err != nil {
			t.Fatal(err)
		}
		text := out.String()
		seen := map[string]bool{}
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "/**") && (strings.Count(line, "*/") != 1 || !strings.HasSuffix(line, " */\n")) {
				t.Errorf("a name ends a comment: %q", line)
			}
			name, ok := strings.CutPrefix(line, "export interface ")
			if ok && seen[name] {
				t.Errorf("two types are called %s", name)
			}
			seen[name] = ok
		}
	})
}
