package sim

import (
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// Codes by which the hook of a run rejects. The first two follow from the rows;
// a whim follows from nothing, so that who is asked twice may hear another word.
const (
	codeHeavy = tidemark.Code("app:heavy")
	codeBulky = tidemark.Code("app:bulky")
	codeWhim  = tidemark.Code("app:whim")
)

// Columns of a parcel.
const (
	parcelWhat = 1 + iota
	parcelWeight
	parcelPrice
)

// depotLast is the column of the depot that only the hook writes.
const depotLast = 1

// hook is the code of the app's that runs on the server. Its word stands with
// the outcome that it leads to.
type hook struct {
	w       *world
	asked   map[tidemark.Name]int           // how often since the server started
	answers map[tidemark.Hash]tidemark.Code // what it said last, "" when it let a changeset pass
	remote  *endpoint                       // nil: it runs beside the server
}

// newHook is that of a server that starts; nil where the tables have none.
func (w *world) newHook() *hook {
	if w.model.Table("parcel") == nil {
		return nil
	}
	h := &hook{w: w, asked: map[tidemark.Name]int{}, answers: map[tidemark.Hash]tidemark.Code{}}
	far := false
	if w.server != nil && w.server.hook != nil {
		h.answers, far = w.server.hook.answers, w.server.hook.remote != nil
	} else {
		far = w.chance(0.5)
	}
	if far {
		h.remote = &endpoint{h, map[tidemark.Name]*call{}}
	}
	return h
}

// judge is the hub's Options.Hook.
func (h *hook) judge(p *hub.Proposal) (*hub.Verdict, error) {
	w := h.w
	c := w.ledger.byHash[p.Name.Hash]
	switch {
	case c == nil:
		w.fail("I3", "the hook is asked about %s/%d, a changeset that no device committed", p.Name.Replica, p.Name.N)
	case p.Principal.ID != c.device.owner:
		w.fail("I25", "the hook is told that changeset %d of %q is of %q", c.id, c.device.owner, p.Principal.ID)
	case c.outcome != nil && !w.ledger.loose():
		w.fail("I3", "the hook is asked about changeset %d, which was %s@%d", c.id, c.outcome.Kind, c.outcome.Seq)
	}
	v, code, err := h.answer(p, c.id)
	if err != nil {
		return nil, err
	}
	if h.answers[p.Name.Hash] = code; code != "" {
		return nil, &tidemark.Error{Code: code, Msg: "not like this"}
	}
	return v, nil
}

func (h *hook) answer(p *hub.Proposal, id int) (*hub.Verdict, tidemark.Code, error) {
	if h.remote != nil {
		return h.remote.ask(p)
	}
	h.asked[p.Name]++
	if n := int(p.Name.Hash[0]) % 8; n < 3 && h.asked[p.Name] <= n {
		h.w.trace("the hook lets changeset %d wait", id)
		return nil, "", hub.ErrWait
	}
	code, v := h.decide(p)
	return v, code, nil
}

// decide is what it says of rows, by rule or by whim.
func (h *hook) decide(p *hub.Proposal) (tidemark.Code, *hub.Verdict) {
	code, v := h.rule(p)
	if code == "" && h.w.chance(0.04) {
		code = codeWhim
	}
	return code, v
}

// rule says what follows from the rows. The oracle has the same in its own
// words, see parcels.
func (h *hook) rule(p *hub.Proposal) (tidemark.Code, *hub.Verdict) {
	v := &hub.Verdict{Drop: map[hub.RowOf]bool{}, Set: map[hub.RowOf]map[int]tidemark.Value{}}
	heaviest := int64(-1) // of the new ones
	for i := range p.Changes {
		c := &p.Changes[i]
		if c.Table.Name != "parcel" {
			continue
		}
		if c.Old == nil {
			heaviest = max(heaviest, c.New[parcelWeight].Int64())
		}
		changed := func(col int) bool { return c.Old == nil || c.Old[col] != c.New[col] }
		switch {
		case c.Op == tidemark.Delete:
			if c.Old[parcelWeight].Int64() > 60 {
				return codeBulky, nil
			}
		case changed(parcelWeight) && c.New[parcelWeight].Int64() > 90:
			return codeHeavy, nil
		case c.Op == tidemark.Update && c.Old[parcelWhat] == tidemark.Text("sealed") && !slices.Equal(c.Old, c.New):
			v.Drop[c.Row()] = true
		case changed(parcelWeight) || changed(parcelPrice):
			v.Set[c.Row()] = map[int]tidemark.Value{parcelPrice: tidemark.Int(3 * c.New[parcelWeight].Int64())}
		}
	}
	if heaviest >= 0 {
		v.Add = []tidemark.Change{{Table: p.Schema.Named("depot").ID, Op: tidemark.Update,
			Key: []tidemark.Value{tidemark.Int(1)}, Cols: []int{depotLast}, New: []tidemark.Value{tidemark.Int(heaviest)}}}
	}
	return "", v
}

// whim checks that a changeset ended by a whim exactly if that was the hook's last
// word on it, and reports whether it did.
func (l *ledger) whim(c *local, rejected tidemark.Code) bool {
	h := l.w.server.hook
	if h == nil {
		return false
	}
	said := h.answers[c.hash]
	if (said == codeWhim) != (rejected == codeWhim) {
		l.w.fail("I3", "the hook said %q of changeset %d at last, its outcome is %q", said, c.id, rejected)
	}
	return said == codeWhim
}

// parcels: what a hook weighs and prices. In the depot it notes the weight of
// what came last.
func parcels() *family {
	const one = "SELECT id FROM parcel ORDER BY id"
	add := func(g *gen) error { return g.run("INSERT INTO parcel VALUES (?1, 'box', ?2, NULL)", g.name(), g.n(96)) }
	weigh := func(g *gen) error { return g.with(one, "UPDATE parcel SET weight = ?2 WHERE id = ?1", g.n(96)) }
	return &family{
		title: "parcel",
		sql: `CREATE TABLE parcel (id TEXT PRIMARY KEY NOT NULL, what TEXT, weight INTEGER NOT NULL, price INTEGER);
			CREATE TABLE depot (id INTEGER PRIMARY KEY, last INTEGER NOT NULL);
			INSERT INTO depot VALUES (1, 0), (2, 0);
			INSERT INTO parcel VALUES ('a', 'box', 5, 15), ('b', 'sealed', 70, 210), ('c', 'bag', 80, 240), ('d', 'sealed', 1, 3), ('e', 'tube', 12, 36);`,
		tables: []*oracle.Table{
			{Name: "parcel", Columns: col("id what weight price"), Key: []int{0}, NotNull: []int{0, 2}, Hook: priced},
			{Name: "depot", Columns: col("id last"), Key: []int{0}, NotNull: []int{1}},
		},
		ops: []op{
			add, add, weigh, weigh,
			func(g *gen) error {
				return g.run("INSERT INTO parcel VALUES (?1, 'bag', ?2, ?3)", g.name(), g.n(90), -g.n(99))
			},
			func(g *gen) error { return g.with(one, "UPDATE parcel SET price = ?2 WHERE id = ?1", -1-g.n(99)) },
			func(g *gen) error {
				return g.with(one, "UPDATE parcel SET weight = ?2, price = ?3 WHERE id = ?1", g.n(92), -1-g.n(99))
			},
			func(g *gen) error {
				return g.with(one, "UPDATE parcel SET what = ?2 WHERE id = ?1", []string{"box", "tube", "sealed"}[g.n(3)])
			},
			func(g *gen) error { return g.with(one, "DELETE FROM parcel WHERE id = ?1") },
		},
	}
}

// priced is the hook as the oracle has it.
func priced(old, row oracle.Row) oracle.Ruling {
	weight := func(r oracle.Row) int64 { return r[parcelWeight].Int64() }
	if row == nil {
		if weight(old) > 60 {
			return oracle.Ruling{Code: codeBulky}
		}
		return oracle.Ruling{}
	}
	heavier := old == nil || weight(old) != weight(row)
	if heavier && weight(row) > 90 {
		return oracle.Ruling{Code: codeHeavy}
	}
	if old != nil && old[parcelWhat] == tidemark.Text("sealed") {
		return oracle.Ruling{Drop: true}
	}
	if !heavier && old[parcelPrice] == row[parcelPrice] {
		return oracle.Ruling{}
	}
	r := oracle.Ruling{Set: map[int]tidemark.Value{parcelPrice: tidemark.Int(3 * weight(row))}}
	if old == nil {
		r.Add = &oracle.Addition{Table: "depot", ID: tidemark.Int(1), Column: depotLast, Value: weight(row)}
	}
	return r
}
