package wire

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
)

// Whatever is said in whatever order, the other end hears the same.
func TestShorthandRoundTrip(t *testing.T) {
	r := dice.New(t)
	names := []string{"aa", "bb"}
	pick := func() string { return names[r.IntN(2)] }
	for range 300 {
		var here, there Shorthand
		for range 50 {
			up := randomUp(r, pick)
			if got, err := DecodeUp(AppendUp(nil, here.Up(up))); err != nil {
				t.Fatal(err)
			} else if there.ReadUp(got); !reflect.DeepEqual(got, up) {
				t.Fatalf("got %+v, want %+v", got, up)
			}
			down := randomDown(r, pick)
			if got, err := DecodeDown(AppendDown(nil, there.Down(down))); err != nil {
				t.Fatal(err)
			} else if here.ReadDown(got); !reflect.DeepEqual(dropRaw(got), down) {
				t.Fatalf("got %+v, want %+v", got, down)
			}
		}
	}
}

func randomUp(r *rand.Rand, pick func() string) Up {
	if r.IntN(5) == 0 {
		return &Hello{Schema: pick()}
	}
	return &Push{N: 1, Schema: pick()}
}

func randomDown(r *rand.Rand, pick func() string) Down {
	switch r.IntN(9) {
	case 0:
		return &Welcome{Replica: pick(), Term: pick(), Schema: pick()}
	case 1:
		return &Schema{Hash: pick()}
	case 2, 3, 4:
		return &Outcomes{List: []tidemark.Outcome{{Kind: tidemark.Accepted, Name: tidemark.Name{Replica: pick()}}}}
	}
	return &Batch{To: 1, Term: pick(), Schema: pick()}
}

func dropRaw(m Down) Down {
	if b, ok := m.(*Batch); ok {
		b.Raw = nil
	}
	return m
}

// The sender's own message is shared with other sessions: it stays as it is.
func TestShorthandCopies(t *testing.T) {
	var s Shorthand
	s.Down(&Welcome{Replica: "r", Term: "t", Schema: "s"})
	b := &Batch{Term: "t", Schema: "s"}
	o := &Outcomes{List: []tidemark.Outcome{{Name: tidemark.Name{Replica: "r"}}}}
	if c := s.Down(b).(*Batch); c.Term != "" || b.Term != "t" {
		t.Errorf("sent %+v, kept %+v", c, b)
	}
	if c := s.Down(o).(*Outcomes); c.List[0].Replica != "" || o.List[0].Replica != "r" {
		t.Errorf("sent %+v, kept %+v", c, o)
	}
}
