package wire

import (
	"reflect"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
)

func TestChangesRoundTrip(t *testing.T) {
	r := dice.New(t)
	for range 20000 {
		old := r.IntN(2) == 0
		want := randomChanges(r, old)
		b := AppendChanges(nil, want, old)
		got, err := DecodeChanges(b)
		if err != nil {
			t.Fatalf("%v\n%s", err, b)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("changes moved\n got %v\nwant %v\n  as %s", got, want, b)
		}
	}
}

func TestOldIsLeftOut(t *testing.T) {
	r := dice.New(t)
	for range 2000 {
		want := randomChanges(r, true)
		got, err := DecodeChanges(AppendChanges(nil, want, false))
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			want[i].Old = nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v\nwant %v", got, want)
		}
	}
}

// A value that an edit stands for is known in memory, and never sent.
func TestValuesBesideEditsAreLeftOut(t *testing.T) {
	c := tidemark.Change{
		Table: 1, Op: tidemark.Update, Key: []tidemark.Value{tidemark.Int(1)}, Cols: []int{1, 2},
		New: []tidemark.Value{tidemark.Int(7), tidemark.Text("new")}, Old: []tidemark.Value{tidemark.Int(5), tidemark.Text("old")},
		Edits: []tidemark.Edit{{Kind: tidemark.EditAdd, Body: "2"}, {}}, MadeAt: 9,
	}
	for old, want := range map[bool]string{
		true:  `[[1,"x",2,[1],[1,2],[null,"new"],[null,"old"],[["a",2],null],9]]`,
		false: `[[1,"x",2,[1],[1,2],[null,"new"],null,[["a",2],null],9]]`,
	} {
		if got := string(AppendChanges(nil, []tidemark.Change{c}, old)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	c.MadeAt = 0
	if got := string(AppendChanges(nil, []tidemark.Change{c}, false)); got != `[[1,"e",[1,2],1,["a",2],"new"]]` {
		t.Error(got)
	}
	if c.New[0] != tidemark.Int(7) || c.Old[0] != tidemark.Int(5) {
		t.Error("the change was altered")
	}
}

func TestRunsAreBounded(t *testing.T) {
	var changes []tidemark.Change
	for i := range 3*maxRun + 1 {
		changes = append(changes, tidemark.Change{Table: 1, Op: tidemark.Delete, Key: []tidemark.Value{tidemark.Int(int64(i))}})
	}
	got, err := DecodeChanges(AppendChanges(nil, changes, false))
	if err != nil || !reflect.DeepEqual(got, changes) {
		t.Fatalf("%d changes came back, error %v", len(got), err)
	}
}

// What one change may grow into must not reach its neighbours.
func TestDecodedListsDoNotOverlap(t *testing.T) {
	got, err := DecodeChanges([]byte(`[[1,"i",[0],[1,2],["a","b"]],[1,"u",[1],[1,2],["c","d"]]]`))
	if err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].Key = append(got[i].Key, tidemark.Text("more"))
		got[i].New = append(got[i].New, tidemark.Text("more"))
		got[i].Key[0] = tidemark.Text("other")
	}
	for i, want := range []string{"a", "b", "c", "d"} {
		c := got[i]
		if v := c.New[len(c.New)-2].Str(); v != want {
			t.Errorf("change %d holds %q, want %q", i, v, want)
		}
	}
	if got[0].New[0] != tidemark.Int(1) {
		t.Error("a key shares memory with its row")
	}
}

func TestBadChanges(t *testing.T) {
	for _, in := range []string{
		``, `{}`, `[1]`, `[[]]`, `[[1]]`, `[[1,"z"]]`, `[[-1,"d",1]]`, `[[1,"i",[1],5]]`, `[[1,"i",[-1],5]]`,
		`[[1,"u",[1,2],5]]`, `[[1,"U",[1],5]]`, `[[1,"d",[1,2],[3]]]`, `[[1,"d",[1,2],3]]`, `[[1,"d",[]]]`,
		`[[1,"x",4,[1],[],[]]]`, `[[1,"d",1]`, `[[1,"d",1],]`, `[,]`, `[[1,"d",1]]x`, `[[1,"d",true]]`,
		`[[1,"x",2,[1],[0],[null],null,[["z",1]]]]`, `[[1,"x",2,[1],[0],[null],null,[["a"]]]]`, `[[1,"x",2,[1],[0],[null],null,[["a",null]]]]`,
		`[[1,"x",2,[1],[0],[5],null,[["a",1]]]]`, `[[1,"x",2,[1],[0],[null],[5],[["a",1]]]]`, `[[1,"x",2,[1],[0],[null],null,[["a",1],null]]]`,
		`[[1,"x",1,[1],[0],[null],null,[["a",1]]]]`, `[[1,"x",3,[1],[],[],null,[["a",1]]]]`, `[[1,"x",2,[1],[0],[null],null,["a"]]]`,
		`[[1,"x",2,[1],[0],[5],null,[],"1"]]`,
		`[[1,"e"]]`, `[[1,"e",[],1]]`, `[[1,"e",[0,1],["a",1]]]`, `[[1,"e",[0],["a",1],2]]`, `[[1,"e",[0],1,["z",1]]]`, `[[1,"e",[0],1,["a"]]]`, `[[1,"e",[0],1,[]]]`,
		`[[1,"e",[0],[1],["a",1]]]`, `[[1,"e",[0],[1,2],[3,4]]]`,
	} {
		if got, err := DecodeChanges([]byte(in)); err == nil {
			t.Errorf("%s: came back as %v", in, got)
		} else if tidemark.CodeOf(err) != tidemark.CodeProtocol {
			t.Errorf("%s: %v has code %q", in, err, tidemark.CodeOf(err))
		}
	}
}
