package merge

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

var policies = []tidemark.Policy{
	tidemark.PolicyLastWrite, tidemark.PolicyLatestEdit, tidemark.PolicyFirstWrite, tidemark.PolicyCounter, tidemark.PolicyMax, tidemark.PolicyMin,
	tidemark.PolicySet, tidemark.PolicyJSON, tidemark.PolicyText, tidemark.PolicyManual, tidemark.PolicyCustom,
}

func meet(t *rapid.T, m Meeting) Verdict {
	v, err := Meet(m)
	if err != nil {
		t.Fatalf("%+v: %v", m, err)
	}
	return v
}

func drawMeeting(t *rapid.T) Meeting {
	m := Meeting{
		Column: &tidemark.Column{Name: "c", Collation: rapid.SampledFrom([]string{"BINARY", "NOCASE", "RTRIM"}).Draw(t, "collation")},
		Policy: rapid.SampledFrom(policies).Draw(t, "policy"),
		Base:   values.Draw(t, "base"), Based: rapid.Bool().Draw(t, "based"),
		Theirs: values.Draw(t, "theirs"), Mine: values.Draw(t, "mine"),
		MineAt: rapid.Int64Range(0, 3).Draw(t, "mine at"), TheirsAt: rapid.Int64Range(0, 3).Draw(t, "theirs at"),
		Func: func(base, theirs, mine tidemark.Value) (tidemark.Value, error) { return theirs, nil },
	}
	if rapid.Bool().Draw(t, "seen") {
		m.Edit = Intent(m.Policy, m.Base, m.Mine)
	}
	if m.Edit.Kind != tidemark.EditSet {
		m.Mine = tidemark.Null // as it comes from the wire
	}
	return m
}

// What a verdict says of lost and overwritten values is true, and a policy
// that takes one of two values as it is takes nothing else.
func TestVerdictsTellTheTruth(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawMeeting(t)
		v, err := Meet(m)
		if err != nil {
			if code := tidemark.CodeOf(err); code != tidemark.CodeCheck {
				t.Fatalf("%+v: %v", m, err)
			}
			return
		}
		if again := meet(t, m); again != v {
			t.Fatalf("%+v: %+v, then %+v", m, v, again)
		}
		if v.Open != (m.Policy == tidemark.PolicyManual && v.Lost) {
			t.Fatalf("%+v: %+v", m, v)
		}
		if m.Edit.Kind == tidemark.EditSet && v.Mine != m.Mine {
			t.Fatalf("%+v records %v", m, v.Mine)
		}
		switch Natural(m.Edit.Kind) {
		case "":
			if m.Policy == tidemark.PolicySet || m.Policy == tidemark.PolicyJSON {
				return
			}
		default:
			return
		}
		if v.Lost != (v.Value != m.Mine) || v.Over != (v.Value != m.Theirs) {
			t.Fatalf("%+v: %+v", m, v)
		}
		if v.Value != m.Mine && v.Value != m.Theirs {
			t.Fatalf("%+v: %+v", m, v)
		}
	})
}

// join is max or min of two values as a binary operation.
func join(t *rapid.T, p tidemark.Policy, collation string, a, b tidemark.Value) tidemark.Value {
	return meet(t, Meeting{Policy: p, Column: &tidemark.Column{Collation: collation}, Theirs: a, Mine: b}).Value
}

func TestMaxAndMinAreASemilattice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom([]tidemark.Policy{tidemark.PolicyMax, tidemark.PolicyMin}).Draw(t, "policy")
		c := rapid.SampledFrom([]string{"BINARY", "NOCASE", "RTRIM"}).Draw(t, "collation")
		x, y, z := values.Draw(t, "x"), values.Draw(t, "y"), values.Draw(t, "z")
		if got := join(t, p, c, x, x); got != x {
			t.Fatalf("not idempotent: %v of %v", got, x)
		}
		if a, b := join(t, p, c, x, y), join(t, p, c, y, x); a != b {
			t.Fatalf("not commutative: %v, %v", a, b)
		}
		if a, b := join(t, p, c, join(t, p, c, x, y), z), join(t, p, c, x, join(t, p, c, y, z)); a != b {
			t.Fatalf("not associative: %v, %v", a, b)
		}
		if !x.IsNull() && join(t, p, c, x, tidemark.Null) != x {
			t.Fatal("NULL won")
		}
	})
}

// The order is the one in which SQLite sorts.
func TestOrderIsSQLites(t *testing.T) {
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	rapid.Check(t, func(t *rapid.T) {
		c := rapid.SampledFrom([]string{"BINARY", "NOCASE", "RTRIM"}).Draw(t, "collation")
		x, y := values.Draw(t, "x"), values.Draw(t, "y")
		if x.IsNull() || y.IsNull() {
			return
		}
		row, err := db.Get("SELECT ?1 < ?2 COLLATE "+c+", ?1 > ?2 COLLATE "+c, x, y)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := Order(x, y, c), int(row[1].Int64()-row[0].Int64()); got != want {
			t.Fatalf("%v and %v are in order %d under %s, SQLite says %d", x, y, got, c, want)
		}
		got := compare(x, y, c)
		less, more := row[0] == tidemark.Int(1), row[1] == tidemark.Int(1)
		if less && got >= 0 || more && got <= 0 {
			t.Fatalf("%v and %v compare as %d under %s, SQLite says %v %v", x, y, got, c, less, more)
		}
		if got == 0 && x != y || got != -compare(y, x, c) {
			t.Fatalf("%v and %v compare as %d and %d", x, y, got, compare(y, x, c))
		}
	})
}

func TestLastAndFirstWriteAreAssociativeAndIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom([]tidemark.Policy{tidemark.PolicyLastWrite, tidemark.PolicyFirstWrite, tidemark.PolicyManual}).Draw(t, "policy")
		f := func(a, b tidemark.Value) tidemark.Value { return meet(t, Meeting{Policy: p, Theirs: a, Mine: b}).Value }
		x, y, z := values.Draw(t, "x"), values.Draw(t, "y"), values.Draw(t, "z")
		if f(x, x) != x || f(f(x, y), z) != f(x, f(y, z)) {
			t.Fatal(p)
		}
	})
}

// timed is a value with the time of its edit, as the server keeps both.
type timed struct {
	v  tidemark.Value
	at int64
}

func TestLatestEditIsASemilatticeWhereTimesDiffer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := func(a, b timed) timed {
			v := meet(t, Meeting{Policy: tidemark.PolicyLatestEdit, Theirs: a.v, TheirsAt: a.at, Mine: b.v, MineAt: b.at})
			return timed{v.Value, max(a.at, b.at)}
		}
		times := rapid.Permutation([]int64{1, 2, 3}).Draw(t, "times")
		x, y, z := timed{values.Draw(t, "x"), times[0]}, timed{values.Draw(t, "y"), times[1]}, timed{values.Draw(t, "z"), times[2]}
		if f(x, x) != x || f(x, y) != f(y, x) || f(f(x, y), z) != f(x, f(y, z)) {
			t.Fatalf("%v %v %v", x, y, z)
		}
	})
}

// The sum of a counter is the sum of what was added, in whatever order it comes.
func TestCountersSumUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Int64Range(-1000, 1000).Draw(t, "base")
		adds := rapid.SliceOfN(rapid.Int64Range(-1<<40, 1<<40), 1, 8).Draw(t, "added")
		want := base
		var edits []tidemark.Edit
		for _, d := range adds {
			want += d
			edits = append(edits, Intent(tidemark.PolicyCounter, tidemark.Int(base), tidemark.Int(base+d)))
		}
		inEveryOrder(t, tidemark.PolicyCounter, tidemark.Int(base), edits, func(got tidemark.Value) {
			if got != tidemark.Int(want) {
				t.Fatalf("%d and %v make %v, want %d", base, adds, got, want)
			}
		})
	})
}

// inEveryOrder lets edits of one value meet each other in a few orders.
func inEveryOrder(t *rapid.T, p tidemark.Policy, base tidemark.Value, edits []tidemark.Edit, check func(tidemark.Value)) {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	for range 4 {
		now := base
		for _, i := range r.Perm(len(edits)) {
			v := meet(t, Meeting{Policy: p, Base: base, Based: true, Theirs: now, Edit: edits[i]})
			if v.Lost || v.Over {
				t.Fatalf("%s: %v on %v: %+v", p, edits[i], now, v)
			}
			now = v.Value
		}
		check(now)
	}
}

// A set has what was there and was not removed, and what was added.
func TestSetsHaveWhatWasAddedAndNotRemoved(t *testing.T) {
	names := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"})
	sets := rapid.SliceOfNDistinct(names, 0, 6, rapid.ID[string])
	rapid.Check(t, func(t *rapid.T) {
		base := sets.Draw(t, "base")
		var edits []tidemark.Edit
		have := map[string]bool{}
		for _, m := range base {
			have[m] = true
		}
		for range rapid.IntRange(1, 4).Draw(t, "authors") {
			after := sets.Draw(t, "after")
			edits = append(edits, Intent(tidemark.PolicySet, setOf(base), setOf(after)))
			for _, m := range base {
				if !slices.Contains(after, m) {
					delete(have, m)
				}
			}
			for _, m := range after {
				if !slices.Contains(base, m) {
					have[m] = true
				}
			}
		}
		inEveryOrder(t, tidemark.PolicySet, setOf(base), edits, func(got tidemark.Value) {
			n, err := arrayOf(got, maxIntent)
			if err != nil || len(n.items) != len(have) {
				t.Fatalf("%v, want %v", got, have)
			}
			for i := range n.items {
				if !have[n.items[i].val.str] {
					t.Fatalf("%v, want %v", got, have)
				}
			}
		})
	})
}

func setOf(list []string) tidemark.Value {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return tidemark.Text("[" + strings.Join(quoted, ",") + "]")
}

// Authors who change different keys do not see each other.
func TestDifferentKeysCommute(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := map[string]string{"1x": "0", "2x": "0", "3x": "0"}
		want := map[string]string{"1x": "0", "2x": "0", "3x": "0"}
		var edits []tidemark.Edit
		for author := 1; author <= 3; author++ {
			after := map[string]string{}
			for k, v := range base {
				after[k] = v
			}
			for _, key := range []string{"x", "y", "z"} {
				key = strconv.Itoa(author) + key
				switch rapid.IntRange(0, 2).Draw(t, key) {
				case 0:
					after[key] = rapid.SampledFrom([]string{"1", "{}", `"s"`}).Draw(t, "value")
					want[key] = after[key]
				case 1:
					delete(after, key)
					delete(want, key)
				}
			}
			edits = append(edits, Intent(tidemark.PolicyJSON, nested(base), nested(after)))
		}
		inEveryOrder(t, tidemark.PolicyJSON, nested(base), edits, func(got tidemark.Value) {
			a, err := objectOf(got, maxIntent)
			b, _ := objectOf(nested(want), maxIntent)
			if err != nil || !same(a, b) {
				t.Fatalf("%v, want %v", got, nested(want))
			}
		})
	})
}

// nested puts the keys of each author into two objects.
func nested(keys map[string]string) tidemark.Value {
	return tidemark.Text(`{"top":` + plainObject(keys, "x") + `,"deep":{"er":` + plainObject(keys, "yz") + `}}`)
}

func plainObject(keys map[string]string, ends string) string {
	var list []string
	for k, v := range keys {
		if strings.ContainsAny(k, ends) {
			list = append(list, quote(k)+":"+v)
		}
	}
	slices.Sort(list)
	return "{" + strings.Join(list, ",") + "}"
}

// An edit that is put on its own result again changes nothing more, for sets and objects.
func TestSetsAndObjectsAreIdempotent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SampledFrom([]tidemark.Policy{tidemark.PolicySet, tidemark.PolicyJSON}).Draw(t, "policy")
		now, e := values.Draw(t, "now"), Intent(p, values.Draw(t, "before"), values.Draw(t, "after"))
		once, err := Apply(now, tidemark.Null, e)
		if err != nil || e.Kind == tidemark.EditSet {
			return
		}
		twice, err := Apply(once, tidemark.Null, e)
		if err != nil || twice != once {
			t.Fatalf("%v on %v: %v, then %v, %v", e, now, once, twice, err)
		}
	})
}

// What the package says does not hold does not.
func TestCounterExamples(t *testing.T) {
	sum := func(a, b tidemark.Value) tidemark.Value {
		v, err := add(a, b)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	big, one := tidemark.Real(math.Pow(2, 53)), tidemark.Real(1)
	if sum(sum(big, one), one) == sum(big, sum(one, one)) {
		t.Error("sums of reals are associative")
	}
	order := func(p tidemark.Policy, base string, afters ...string) string {
		now := tidemark.Text(base)
		for _, after := range afters {
			v, err := Meet(Meeting{Policy: p, Base: tidemark.Text(base), Based: true, Theirs: now, Edit: Intent(p, tidemark.Text(base), tidemark.Text(after))})
			if err != nil {
				t.Fatal(err)
			}
			now = v.Value
		}
		return now.Str()
	}
	if order(tidemark.PolicySet, `[]`, `[1]`, `[2]`) == order(tidemark.PolicySet, `[]`, `[2]`, `[1]`) {
		t.Error("the order of members does not depend on who came first")
	}
	if order(tidemark.PolicyJSON, `{}`, `{"a":1}`, `{"a":2}`) == order(tidemark.PolicyJSON, `{}`, `{"a":2}`, `{"a":1}`) {
		t.Error("edits of one key commute")
	}
	for _, p := range []tidemark.Policy{tidemark.PolicyLastWrite, tidemark.PolicyFirstWrite} {
		a, _ := Meet(Meeting{Policy: p, Theirs: one, Mine: big})
		b, _ := Meet(Meeting{Policy: p, Theirs: big, Mine: one})
		if a.Value == b.Value {
			t.Errorf("%s commutes", p)
		}
	}
	a, _ := Meet(Meeting{Policy: tidemark.PolicyLatestEdit, Theirs: one, Mine: big, MineAt: 1, TheirsAt: 1})
	b, _ := Meet(Meeting{Policy: tidemark.PolicyLatestEdit, Theirs: big, Mine: one, MineAt: 1, TheirsAt: 1})
	if a.Value == b.Value {
		t.Error("latest-edit commutes where times are equal")
	}
}
