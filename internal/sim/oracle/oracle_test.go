package oracle_test

import (
	"slices"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

func values(xs ...any) []tidemark.Value {
	out := make([]tidemark.Value, len(xs))
	for i, x := range xs {
		out[i], _ = tidemark.ValueOf(x)
	}
	return out
}

// family has parents, children that go with them and guests that lose them.
func family() *oracle.Model {
	return &oracle.Model{Tables: []*oracle.Table{
		{Name: "parent", Columns: []string{"id", "name"}, Key: []int{0}, Unique: []func(oracle.Row) (string, bool){
			func(r oracle.Row) (string, bool) { return r[1].String(), !r[1].IsNull() }}},
		{Name: "child", Columns: []string{"id", "parent"}, Key: []int{0}, Refs: []oracle.Ref{
			{Columns: []int{1}, Parent: "parent", To: []int{0}, OnDelete: oracle.Cascade, OnUpdate: oracle.Cascade}}},
		{Name: "guest", Columns: []string{"id", "child"}, Key: []int{0}, Refs: []oracle.Ref{
			{Columns: []int{1}, Parent: "child", To: []int{0}, OnDelete: oracle.SetNull, OnUpdate: oracle.Cascade}}},
	}}
}

func start(m *oracle.Model) oracle.State {
	s := oracle.State{}
	m.Put(s, "parent", values(1, "a"))
	m.Put(s, "parent", values(2, "b"))
	m.Put(s, "child", values(10, 1))
	m.Put(s, "guest", values(100, 10))
	return s
}

func TestCascade(t *testing.T) {
	m := family()
	v := m.Judge(start(m), []oracle.Change{{Table: "parent", Op: tidemark.Delete, Key: values(1)}}, nil, nil)
	want := oracle.State{"child": {}}
	m.Put(want, "parent", values(2, "b"))
	m.Put(want, "guest", values(100, nil))
	if text := oracle.Diff(want, v.State, 9); text != "" || len(v.Refused) > 0 {
		t.Errorf("%v %s", v.Refused, text)
	}
}

func TestMove(t *testing.T) {
	m := family()
	v := m.Judge(start(m), []oracle.Change{{Table: "parent", Op: tidemark.Update, Key: values(1), Cols: []int{0}, New: values(5)}}, nil, nil)
	if got := v.State["child"][m.Table("child").KeyOf(values(10))]; !slices.Equal(got, values(10, 5)) {
		t.Errorf("the child has %v", got)
	}
}

func TestReparentedChildStays(t *testing.T) {
	m := family()
	v := m.Judge(start(m), []oracle.Change{
		{Table: "parent", Op: tidemark.Delete, Key: values(1)},
		{Table: "child", Op: tidemark.Update, Key: values(10), Cols: []int{1}, New: values(2)},
	}, nil, nil)
	if got := v.State["child"][m.Table("child").KeyOf(values(10))]; !slices.Equal(got, values(10, 2)) {
		t.Errorf("the child has %v, refused %v", got, v.Refused)
	}
}

func TestRefused(t *testing.T) {
	m := family()
	for _, c := range []struct {
		change oracle.Change
		code   tidemark.Code
	}{
		{oracle.Change{Table: "parent", Op: tidemark.Insert, Key: values(1), New: values(1, "x")}, tidemark.CodeUnique},
		{oracle.Change{Table: "parent", Op: tidemark.Insert, Key: values(3), New: values(3, "a")}, tidemark.CodeUnique},
		{oracle.Change{Table: "child", Op: tidemark.Insert, Key: values(11), New: values(11, 9)}, tidemark.CodeForeignKey},
	} {
		s := start(m)
		v := m.Judge(s, []oracle.Change{c.change}, nil, nil)
		if !slices.Equal(v.Refused, []tidemark.Code{c.code}) || oracle.Diff(s, v.State, 9) != "" {
			t.Errorf("%v: %v", c.change, v.Refused)
		}
	}
}

func TestDeleteWins(t *testing.T) {
	m := family()
	s := start(m)
	v := m.Judge(s, []oracle.Change{{Table: "parent", Op: tidemark.Update, Key: values(7), Cols: []int{1}, New: values("z")}}, nil, nil)
	if v.Lost != 1 || len(v.Refused) > 0 || oracle.Diff(s, v.State, 9) != "" {
		t.Errorf("%+v", v)
	}
}

func TestSwap(t *testing.T) {
	m := family()
	v := m.Judge(start(m), []oracle.Change{
		{Table: "parent", Op: tidemark.Update, Key: values(1), Cols: []int{1}, New: values("b")},
		{Table: "parent", Op: tidemark.Update, Key: values(2), Cols: []int{1}, New: values("a")},
	}, nil, nil)
	if len(v.Refused) > 0 {
		t.Errorf("a swap was refused: %v", v.Refused)
	}
}

func TestKeysByCollation(t *testing.T) {
	folded := &oracle.Table{Name: "t", Key: []int{0}, Fold: map[int]bool{0: true}}
	exact := &oracle.Table{Name: "t", Key: []int{0}}
	if folded.KeyOf(values("Ab")) != folded.KeyOf(values("aB")) || exact.KeyOf(values("Ab")) == exact.KeyOf(values("aB")) {
		t.Error("text keys")
	}
	if exact.KeyOf(values(1)) != exact.KeyOf(values(1.0)) || exact.KeyOf(values("1")) == exact.KeyOf(values(1)) {
		t.Error("number keys")
	}
}
