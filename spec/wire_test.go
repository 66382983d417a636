package spec

import (
	"reflect"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// testValues: "wire" is how the value is written. "also" are other spellings
// that must be read as the value. "refused" are spellings that must not be read.
func testValues(t *testing.T, text []byte) {
	type vector struct {
		Name    string
		Value   *value
		Wire    string
		Also    []string
		Refused []string
	}
	cases(t, text, func(c *vector) string { return c.Name }, func(t *testing.T, c *vector) {
		if c.Value != nil {
			if got := string(wire.AppendValue(nil, c.Value.Value)); got != c.Wire {
				t.Errorf("written %s, want %s", got, c.Wire)
			}
			for _, in := range append(c.Also, c.Wire) {
				if got, err := wire.DecodeValue([]byte(in)); err != nil || got != c.Value.Value {
					t.Errorf("%s read as %v, %v, want %v", in, got, err, c.Value)
				}
			}
		}
		for _, in := range c.Refused {
			if got, err := wire.DecodeValue([]byte(in)); tidemark.CodeOf(err) != tidemark.CodeProtocol {
				t.Errorf("%s read as %v, %v", in, got, err)
			}
		}
	})
}

type change struct {
	Table    int
	Op       string
	Key      []value
	Columns  []int
	New, Old []value
	Edits    []edit
	MadeAt   int64 `json:"made_at"`
}

// edit is what an update means by a value; without a kind: it is set.
type edit struct{ Kind, Body string }

func (e edit) plain() tidemark.Edit {
	if e.Kind == "" {
		return tidemark.Edit{}
	}
	return tidemark.Edit{Kind: tidemark.EditKind(e.Kind[0]), Body: e.Body}
}

func (c *change) plain() tidemark.Change {
	ops := map[string]tidemark.Op{"insert": tidemark.Insert, "update": tidemark.Update, "delete": tidemark.Delete, "forget": tidemark.Forget}
	out := tidemark.Change{Table: c.Table, Op: ops[c.Op], Key: plain(c.Key), Cols: c.Columns, New: plain(c.New), Old: plain(c.Old), MadeAt: c.MadeAt}
	for _, e := range c.Edits {
		out.Edits = append(out.Edits, e.plain())
	}
	return out
}

func plainChanges(list []change) []tidemark.Change {
	var out []tidemark.Change
	for i := range list {
		out = append(out, list[i].plain())
	}
	return out
}

// testChanges: "wire" is how the changes are written, with before-images when
// "old" is true.
func testChanges(t *testing.T, text []byte) {
	type vector struct {
		Name    string
		Changes []change
		Old     bool
		Wire    string
		Also    []string
		Refused []string
	}
	cases(t, text, func(c *vector) string { return c.Name }, func(t *testing.T, c *vector) {
		want := plainChanges(c.Changes)
		if c.Wire != "" {
			if got := string(wire.AppendChanges(nil, want, c.Old)); got != c.Wire {
				t.Errorf("written %s, want %s", got, c.Wire)
			}
			for _, in := range append(c.Also, c.Wire) {
				if got, err := wire.DecodeChanges([]byte(in)); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s read as %v, %v, want %v", in, got, err, want)
				}
			}
		}
		for _, in := range c.Refused {
			if got, err := wire.DecodeChanges([]byte(in)); tidemark.CodeOf(err) != tidemark.CodeProtocol {
				t.Errorf("%s read as %v, %v", in, got, err)
			}
		}
	})
}

// testHashes: "hash" names a changeset of this salt and body.
func testHashes(t *testing.T, text []byte) {
	type vector struct {
		Name       string
		Salt, Body string
		Hash       string
	}
	cases(t, text, func(c *vector) string { return c.Name }, func(t *testing.T, c *vector) {
		var salt tidemark.Salt
		unhex(t, c.Salt, salt[:])
		if got := wire.HashOf(salt, []byte(c.Body)).String(); got != c.Hash {
			t.Errorf("got %s, want %s", got, c.Hash)
		}
	})
}
