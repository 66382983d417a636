package sim

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// family is a few tables that belong together, with what apps do to them. A
// workload is one family or several.
type family struct {
	title     string
	sql       string
	tables    []*oracle.Table
	ops       []op
	spoils    []op // transactions that break a constraint the app does not enforce
	invariant func(oracle.State) string

	kinds  []*oracle.Scope // none: everybody has everything
	scopes func(declaration int) []tidemark.Scope
	rules  []tidemark.TableRules
}

// op is one thing that an app does inside a transaction.
type op func(g *gen) error

// gen is one transaction in the making.
type gen struct {
	w   *world
	r   *rand.Rand
	db  *lite.DB
	who int // 0: somebody's shell on the server
}

// workload is what the apps of one run do.
type workload struct {
	title     string
	families  []*family
	most      int     // operations in one transaction
	poisoned  float64 // share of transactions that the server must reject
	meanwhile int64   // milliseconds between two steps, at most
	bytes     int     // of a catch-up chunk
}

func (wl *workload) name() string    { return wl.title }
func (wl *workload) poison() float64 { return wl.poisoned }
func (wl *workload) pace() int64     { return wl.meanwhile }
func (wl *workload) chunk() int      { return wl.bytes }

func (wl *workload) schema() string {
	var sql []string
	for _, f := range wl.families {
		sql = append(sql, f.sql)
	}
	return strings.Join(sql, "\n")
}

func (wl *workload) model() *oracle.Model {
	m := &oracle.Model{}
	for _, f := range wl.families {
		m.Tables = append(m.Tables, f.tables...)
		m.Scopes = append(m.Scopes, f.kinds...)
	}
	return m
}

func (wl *workload) rules() (list []tidemark.TableRules) {
	for _, f := range wl.families {
		list = append(list, f.rules...)
	}
	return list
}

// scopes are the scopes by the n-th declaration.
func (wl *workload) scopes(n int) *tidemark.Scopes {
	all := &tidemark.Scopes{}
	for _, f := range wl.families {
		if f.scopes != nil {
			all.List = append(all.List, f.scopes(n)...)
		}
	}
	return all
}

func (wl *workload) invariant(s oracle.State) string {
	for _, f := range wl.families {
		if f.invariant == nil {
			continue
		}
		if text := f.invariant(s); text != "" {
			return text
		}
	}
	return ""
}

// write does one to most things.
func (wl *workload) write(w *world, db *lite.DB, who int) error {
	g := &gen{w: w, r: w.rand, db: db, who: who}
	for range 1 + w.rand.IntN(wl.most) {
		f := wl.families[w.rand.IntN(len(wl.families))]
		if err := f.ops[w.rand.IntN(len(f.ops))](g); err != nil {
			return err
		}
	}
	return nil
}

// spoil makes a transaction that the server must reject, among good things.
func (wl *workload) spoil(w *world, db *lite.DB, who int) error {
	g := &gen{w: w, r: w.rand, db: db, who: who}
	var spoils []op
	for _, f := range wl.families {
		spoils = append(spoils, f.spoils...)
	}
	if len(spoils) == 0 {
		return wl.write(w, db, who)
	}
	if w.chance(0.5) {
		if err := wl.write(w, db, who); err != nil {
			return err
		}
	}
	return spoils[w.rand.IntN(len(spoils))](g)
}

// run executes one statement; arguments are Go values.
func (g *gen) run(sql string, args ...any) error {
	vs := make([]tidemark.Value, len(args))
	for i, a := range args {
		v, err := tidemark.ValueOf(a)
		if err != nil {
			return err
		}
		vs[i] = v
	}
	if g.w.heard != nil {
		g.w.heard(sql, vs)
	}
	return g.db.Run(sql, vs...)
}

// some returns one row of a query, or nil when it has none. The query must
// have an order, or two runs of one seed would differ.
func (g *gen) some(sql string) ([]tidemark.Value, error) {
	n, err := g.db.Int("SELECT count(*) FROM (" + sql + ")")
	if err != nil || n == 0 {
		return nil, err
	}
	return g.db.Get(sql+" LIMIT 1 OFFSET ?1", tidemark.Int(g.r.Int64N(n)))
}

// with runs a statement on a row that query finds, which becomes ?1, ?2, ...
func (g *gen) with(query, sql string, args ...any) error {
	row, err := g.some(query)
	if err != nil || row == nil {
		return err
	}
	all := make([]any, 0, len(row)+len(args))
	for _, v := range row {
		all = append(all, v)
	}
	return g.run(sql, append(all, args...)...)
}

// name makes a text that nobody else makes.
func (g *gen) name() string {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	b := make([]byte, 8)
	for i := range b {
		b[i] = letters[g.r.IntN(len(letters))]
	}
	return string(b)
}

// secret makes a text that can be found again wherever it gets to, see secrets.
func (g *gen) secret() string { return "$" + g.name() }

func (g *gen) n(most int) int { return g.r.IntN(most) }

// col makes the list of columns for an oracle's table.
func col(names string) []string { return strings.Fields(names) }

// refusedAgain passes over an engine's answer that a changeset does not fit.
func refusedAgain(err error) error {
	var e *tidemark.Error
	if errors.As(err, &e) {
		return nil
	}
	return err
}

// chooseWorkload takes the one that is asked for, or one by the seed.
func chooseWorkload(title string, r *rand.Rand) *workload {
	kinds := Workloads()
	pick := r.IntN(len(kinds))
	if i := slices.Index(kinds, title); i >= 0 {
		pick = i
	}
	wl := &workload{title: kinds[pick], families: familiesOf(kinds[pick])}
	wl.most = 1 + r.IntN(5)
	wl.meanwhile = 20 + r.Int64N(400)
	wl.bytes = 150 + r.IntN(3000)
	switch {
	case wl.title == "W12 poison":
		wl.poisoned = 0.01 + 0.49*r.Float64()
	case r.IntN(3) == 0:
		wl.poisoned = 0.05
	}
	return wl
}

// Workloads lists what Options.Workload can be.
func Workloads() []string {
	return []string{"W1 list", "W2 register", "W3 set", "W4 bank", "W5 counter", "W6 claim", "W7 tree", "W12 poison", "W10 growing schema", "policies", "notes", "keys", "rules", "hooks", "W8 scopes", "W9 grants", "mixed"}
}

func familiesOf(title string) []*family {
	switch title {
	case "W1 list":
		return []*family{lists()}
	case "W2 register":
		return []*family{registers(), pairs()}
	case "W3 set":
		return []*family{sets(), pairs(), shelves()}
	case "W4 bank":
		return []*family{banks()}
	case "W5 counter":
		return []*family{counters(), tallies()}
	case "W6 claim":
		return []*family{claims(), harsh()}
	case "W7 tree":
		return []*family{trees(), links()}
	case "W10 growing schema":
		return []*family{grows(), pairs()}
	case "policies":
		return []*family{tallies(), shelves(), notes(), decisions(), survivors()}
	case "keys":
		return []*family{orders(), pairs()}
	case "rules":
		return []*family{clubs(), pairs()}
	case "hooks":
		return []*family{parcels(), pairs()}
	case "W8 scopes":
		return []*family{projects(false), pairs()}
	case "W9 grants":
		return []*family{projects(true), pairs()}
	case "notes":
		return []*family{notes(), pairs()}
	case "W12 poison":
		return []*family{registers(), guarded(), pairs(), trees(), harsh()}
	}
	return []*family{registers(), pairs(), sets(), claims(), trees(), guarded(), odd(), wide(), stamped(), grows(), links(), harsh(),
		tallies(), shelves(), notes(), decisions(), survivors(), orders()}
}
