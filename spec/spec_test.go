// Package spec tests that the code does what the files beside it say. The
// vectors are for every language: a file is a list of cases, each with a name.
package spec

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// runners has one entry for each file of vectors.
var runners = map[string]func(t *testing.T, text []byte){
	"values.json":    testValues,
	"changes.json":   testChanges,
	"messages.json":  testMessages,
	"hashes.json":    testHashes,
	"keys.json":      testKeys,
	"digest.json":    testDigest,
	"policies.json":  testPolicies,
	"conflicts.json": testConflicts,
	"text.json":      testText,
	"loop.json":      testLoop,
	"capture.json":   testCapture,
	"guards.json":    testGuards,
}

// Every file is run, and every runner has its file.
func TestVectors(t *testing.T) {
	files, err := os.ReadDir("vectors")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		run := runners[f.Name()]
		if run == nil {
			t.Errorf("vectors/%s is an orphan: nothing runs it", f.Name())
			continue
		}
		text, err := os.ReadFile(filepath.Join("vectors", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(f.Name(), func(t *testing.T) { run(t, text) })
	}
	for name := range runners {
		if !slices.ContainsFunc(files, func(f os.DirEntry) bool { return f.Name() == name }) {
			t.Errorf("vectors/%s is missing", name)
		}
	}
}

// cases reads a list of cases and runs each under its name, which must be its own.
func cases[C any](t *testing.T, text []byte, name func(*C) string, run func(t *testing.T, c *C)) {
	var list []C
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Error("no cases")
	}
	seen := map[string]bool{}
	for i := range list {
		n := name(&list[i])
		if n == "" || seen[n] {
			t.Errorf("case %d has no name of its own: %q", i, n)
		}
		seen[n] = true
		t.Run(n, func(t *testing.T) { run(t, &list[i]) })
	}
}

// value is how vectors spell a value: "null", "integer:12", "real:" and the
// bits in hexadecimal, "text:" or "blob:" and the bytes in hexadecimal,
// "string:" and the text as it is.
type value struct{ tidemark.Value }

func (v *value) UnmarshalText(text []byte) error {
	kind, rest, _ := strings.Cut(string(text), ":")
	var err error
	switch kind {
	case "null":
		v.Value = tidemark.Null
	case "integer":
		var n int64
		n, err = strconv.ParseInt(rest, 10, 64)
		v.Value = tidemark.Int(n)
	case "real":
		var bits uint64
		bits, err = strconv.ParseUint(rest, 16, 64)
		v.Value = tidemark.Real(math.Float64frombits(bits))
	case "string":
		v.Value = tidemark.Text(rest)
	case "text", "blob":
		var b []byte
		b, err = hex.DecodeString(rest)
		if v.Value = tidemark.Blob(b); kind == "text" {
			v.Value = tidemark.Text(string(b))
		}
	default:
		err = strconv.ErrSyntax
	}
	return err
}

func plain(vs []value) []tidemark.Value {
	if vs == nil {
		return nil
	}
	out := make([]tidemark.Value, len(vs))
	for i, v := range vs {
		out[i] = v.Value
	}
	return out
}

// protocol.md shows every message and part as messages.json lays it out.
func TestProtocolShowsEveryMessage(t *testing.T) {
	type layout struct {
		Kind, Name string
		Fields     []string
	}
	var d struct {
		Up, Down, Parts []layout
	}
	text, err := os.ReadFile("messages.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range slices.Concat(d.Up, d.Down, d.Parts) {
		var fields []string
		if l.Kind != "" {
			fields = append(fields, strconv.Quote(l.Kind))
		}
		for _, f := range l.Fields {
			name, _, _ := strings.Cut(f, " ")
			fields = append(fields, name)
		}
		line := "`[" + strings.Join(fields, ", ") + "]`"
		if l.Kind != "" {
			line = "**" + l.Name + "** " + line
		}
		if !strings.Contains(string(doc), line) {
			t.Errorf("protocol.md does not show %s", line)
		}
	}
}
