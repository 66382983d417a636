package capture

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// copyOf is the content of all tables at one moment, by table and KeyID.
type copyOf map[int]map[string][]tidemark.Value

func takeCopy(t testing.TB, db *lite.DB, s *tidemark.Schema) copyOf {
	t.Helper()
	out := copyOf{}
	for _, table := range s.Tables {
		out[table.ID] = map[string][]tidemark.Value{}
		err := row.Scan(db, table, nil, nil, 0, func(r []tidemark.Value) error {
			out[table.ID][table.KeyID(table.KeyOf(r))] = r
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func (c copyOf) equal(d copyOf) bool {
	return maps.EqualFunc(c, d, func(a, b map[string][]tidemark.Value) bool {
		return maps.EqualFunc(a, b, slices.Equal[[]tidemark.Value])
	})
}

func (c copyOf) clone() copyOf {
	out := copyOf{}
	for id, rows := range c {
		out[id] = maps.Clone(rows)
	}
	return out
}

// boundary is a state between two segments that Segments should find.
type boundary struct {
	after copyOf
	salt  *tidemark.Salt // nil: the segment before it is foreign
}

// recorder runs transactions and keeps copies at their boundaries.
type recorder struct {
	t     *testing.T
	db    *lite.DB
	s     *tidemark.Schema
	w     *writer
	start copyOf
	want  []boundary
	trace []string
}

func newRecorder(t *testing.T, sql string, seed uint64) *recorder {
	db, err := lite.Open(filepath.Join(t.TempDir(), "x.db"), lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	must(t, db.Script("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;"+sql))
	s, report, err := schema.Inspect(db, nil)
	must(t, err)
	for _, v := range report.Tables {
		if !v.Syncs {
			t.Fatalf("table %s does not sync: %s", v.Table, v.Reason)
		}
	}
	must(t, Install(db, Main, s, false))
	rng := rand.New(rand.NewPCG(seed, 0))
	r := &recorder{t: t, db: db, s: s, w: &writer{rng: rng, s: s}}
	r.start = takeCopy(t, db, s)
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// transaction runs random statements, and says whether it was committed.
func (r *recorder) transaction() {
	rng := r.w.rng
	must(r.t, r.db.Run("PRAGMA foreign_keys = "+strconv.Itoa(rng.IntN(2))))
	own := rng.IntN(2) == 0
	must(r.t, r.db.Run("BEGIN IMMEDIATE"))
	first, err := Begin(r.db)
	must(r.t, err)
	r.note("BEGIN own=%v", own)
	for range 1 + rng.IntN(5) {
		r.step()
		if !r.db.InTransaction() {
			return
		}
	}
	if rng.IntN(10) == 0 {
		r.note("ROLLBACK")
		must(r.t, r.db.Run("ROLLBACK"))
		return
	}
	var salt *tidemark.Salt
	if own {
		salt = &tidemark.Salt{byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32()), byte(rng.Uint32())}
		recorded, err := End(r.db, Mark{First: first, Salt: *salt, MadeAt: 5, Seen: 6})
		must(r.t, err)
		if !recorded {
			must(r.t, r.db.Run("ROLLBACK"))
			return
		}
	}
	if err := r.db.Run("COMMIT"); err != nil { // a deferred foreign key
		must(r.t, r.db.Run("ROLLBACK"))
		return
	}
	r.note("COMMIT")
	r.reached(salt)
}

// reached adds a boundary; transactions of others in a row are one segment.
func (r *recorder) reached(salt *tidemark.Salt) {
	now := takeCopy(r.t, r.db, r.s)
	if n := len(r.want); salt == nil && n > 0 && r.want[n-1].salt == nil {
		r.want[n-1].after = now
		return
	}
	r.want = append(r.want, boundary{now, salt})
}

func (r *recorder) step() {
	rng := r.w.rng
	switch rng.IntN(10) {
	case 0:
		must(r.t, r.db.Run("SAVEPOINT sp"))
		r.note("SAVEPOINT")
		r.step()
		if rng.IntN(2) == 0 && r.db.InTransaction() {
			r.note("ROLLBACK TO")
			must(r.t, r.db.Run("ROLLBACK TO sp"))
		}
		if r.db.InTransaction() {
			must(r.t, r.db.Run("RELEASE sp"))
		}
	default:
		for _, st := range r.w.next() {
			err := r.db.Run(st.sql, st.args...)
			r.note("%s %v -- %v", st.sql, st.args, err)
			if err != nil && lite.Violation(err) == nil && !r.expected(err) {
				r.t.Fatalf("%s %v: %v", st.sql, st.args, err)
			}
		}
	}
}

// expected reports errors that random statements run into and that have
// nothing to do with capture.
func (r *recorder) expected(err error) bool {
	return slices.Contains([]string{"sqlite3: SQL logic error: too many levels of trigger recursion", "sqlite3: SQL logic error: integer overflow", "sqlite3: database or disk is full"}, err.Error())
}

func (r *recorder) note(format string, args ...any) {
	r.trace = append(r.trace, fmt.Sprintf(format, args...))
}

// check compares what Segments tells with the copies.
func (r *recorder) check() {
	r.t.Helper()
	segs, err := Segments(r.db, Main, r.s)
	must(r.t, err)
	now := r.start
	i := 0
	for _, b := range r.want {
		if now.equal(b.after) {
			continue
		}
		if i >= len(segs) {
			r.fail("a transaction is missing at the end", nil)
		}
		seg := segs[i]
		i++
		if (seg.Mark == nil) != (b.salt == nil) || seg.Mark != nil && (seg.Mark.Salt != *b.salt || seg.Mark.Seen != 6 || seg.Mark.MadeAt != 5) {
			r.fail("the mark is not that of the transaction", seg.Rows)
		}
		now = r.replay(now, seg.Rows)
		if !now.equal(b.after) {
			r.noteDifferences(now, b.after)
			r.fail(fmt.Sprintf("segment %d leads elsewhere", i-1), seg.Rows)
		}
	}
	if i != len(segs) {
		r.fail("too many segments", segs[i].Rows)
	}
}

func (r *recorder) noteDifferences(have, want copyOf) {
	for _, table := range r.s.Tables {
		for id, row := range want[table.ID] {
			if other := have[table.ID][id]; !slices.Equal(row, other) {
				r.note("table %s should hold %v, holds %v", table.Name, row, other)
			}
		}
		for id, row := range have[table.ID] {
			if want[table.ID][id] == nil {
				r.note("table %s should not hold %v", table.Name, row)
			}
		}
	}
}

// replay takes a copy through row changes, each of which must fit.
func (r *recorder) replay(c copyOf, rows []RowChange) copyOf {
	out := c.clone()
	for _, ch := range rows {
		if ch.Before == nil {
			continue
		}
		id := ch.Table.KeyID(ch.Table.KeyOf(ch.Before))
		if !slices.Equal(out[ch.Table.ID][id], ch.Before) {
			r.fail(fmt.Sprintf("table %s: before is %v, was %v", ch.Table.Name, ch.Before, out[ch.Table.ID][id]), rows)
		}
		delete(out[ch.Table.ID], id)
	}
	for _, ch := range rows {
		if ch.After == nil {
			continue
		}
		id := ch.Table.KeyID(ch.Table.KeyOf(ch.After))
		if _, taken := out[ch.Table.ID][id]; taken {
			r.fail(fmt.Sprintf("table %s: two rows end as %v", ch.Table.Name, ch.After), rows)
		}
		out[ch.Table.ID][id] = ch.After
	}
	return out
}

func (r *recorder) fail(msg string, rows []RowChange) {
	r.t.Helper()
	for _, line := range r.trace {
		r.t.Log(line)
	}
	for _, ch := range rows {
		r.t.Logf("%s: %v -> %v", ch.Table.Name, ch.Before, ch.After)
	}
	if os.Getenv("TIDEMARK_LOG") != "" {
		_ = r.db.Each("SELECT * FROM _tm_log", func(s *lite.Stmt) error { r.t.Log(s.Row(0)); return nil })
	}
	r.t.Fatal(msg)
}

// seal forgets what is in the log, as sealing does.
func (r *recorder) seal() {
	must(r.t, Clear(r.db, Main))
	r.start, r.want, r.trace = takeCopy(r.t, r.db, r.s), nil, nil
}

// seeds says which random runs to make: TIDEMARK_SEED runs one, TIDEMARK_RUNS
// says how many.
func seeds(t testing.TB, runs int) (from, to uint64) {
	if s := os.Getenv("TIDEMARK_SEED"); s != "" {
		n, err := strconv.ParseUint(s, 10, 64)
		must(t, err)
		return n, n + 1
	}
	if testing.Short() {
		runs = 1
	}
	if s := os.Getenv("TIDEMARK_RUNS"); s != "" {
		n, err := strconv.Atoi(s)
		must(t, err)
		runs = n
	}
	return 1, 1 + uint64(runs)
}

// TestEveryBoundary writes at random into every kind of table and checks that
// the log tells the state between any two transactions, exactly.
func TestEveryBoundary(t *testing.T) {
	from, to := seeds(t, 8)
	for _, kind := range slices.Sorted(maps.Keys(kindsOfTables)) {
		t.Run(kind, func(t *testing.T) {
			for seed := from; seed < to; seed++ {
				t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
					r := newRecorder(t, kindsOfTables[kind], seed)
					for range 3 {
						for range 8 {
							r.transaction()
						}
						r.check()
						r.seal()
					}
				})
			}
		})
	}
}
