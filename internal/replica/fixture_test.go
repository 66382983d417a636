package replica

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
	structure "github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// origin plays the server: a plain SQLite file with foreign keys on. What a
// write did is found by comparing all rows before and after.
type origin struct {
	t      *testing.T
	db     *lite.DB
	path   string
	schema *tidemark.Schema
	key    digest.Key
	seq    tidemark.Seq
	rows   images // as of seq
}

func newOrigin(t *testing.T, ddl string) *origin {
	t.Helper()
	path := filepath.Join(t.TempDir(), "origin.db")
	db, err := lite.Open(path, lite.Options{Create: true})
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	must(t, db.Script(ddl))
	o := &origin{t: t, db: db, path: path, key: digest.Key{1, 2, 3}}
	o.inspect()
	must(t, db.Run("PRAGMA foreign_keys = ON"))
	o.rows = o.read()
	return o
}

func (o *origin) inspect() {
	ids := map[string]int{}
	if o.schema != nil {
		ids = tableIDs(o.schema)
	}
	var err error
	o.schema, _, err = structure.Inspect(o.db, ids)
	must(o.t, err)
}

func readRows(t testing.TB, db *lite.DB, s *tidemark.Schema) images {
	t.Helper()
	all := images{}
	for _, table := range s.Tables {
		if table.Out != "" {
			continue
		}
		must(t, row.Scan(db, table, nil, nil, 0, func(values []tidemark.Value) error {
			all[idOf(table, table.KeyOf(values))] = values
			return nil
		}))
	}
	return all
}

func (o *origin) read() images { return readRows(o.t, o.db, o.schema) }

func sumOf(key digest.Key, s *tidemark.Schema, rows images) uint64 {
	h, sum := digest.New(key), uint64(0)
	for id, image := range rows {
		sum += h.Row(s.Table(id.t), image)
	}
	return sum
}

func (o *origin) sum() uint64 { return sumOf(o.key, o.schema, o.rows) }

// commit takes what was written since the last call as one accepted changeset.
func (o *origin) commit() *wire.Batch {
	o.t.Helper()
	now := o.read()
	b := &wire.Batch{From: o.seq, To: o.seq + 1, Term: "term", Schema: o.schema.Hash}
	b.Changes = changesBetween(o.schema, o.rows, now)
	o.rows = now
	o.seq++
	b.Sum = o.sum()
	return b
}

// do runs SQL on the origin and commits it.
func (o *origin) do(sql string) *wire.Batch {
	o.t.Helper()
	must(o.t, o.db.Script(sql))
	return o.commit()
}

func changesBetween(s *tidemark.Schema, before, after images) []tidemark.Change {
	changes := []tidemark.Change{}
	all := images{}
	for id := range before {
		all[id] = nil
	}
	for id := range after {
		all[id] = nil
	}
	for _, id := range inOrder(all) {
		if !slices.Equal(before[id], after[id]) {
			changes = append(changes, stepTo(s.Table(id.t), before[id], after[id]))
		}
	}
	return changes
}

// judge applies a pushed changeset in one transaction.
func (o *origin) judge(n int64, hash tidemark.Hash, changes []tidemark.Change) (tidemark.Outcome, *wire.Batch) {
	o.t.Helper()
	err := o.db.Transaction(func() error {
		must(o.t, o.db.Run("PRAGMA defer_foreign_keys = ON"))
		for _, op := range []tidemark.Op{tidemark.Delete, tidemark.Update, tidemark.Insert} {
			for i := range changes {
				if changes[i].Op != op {
					continue
				}
				if err := o.write(&changes[i]); err != nil {
					return err
				}
			}
		}
		return nil
	})
	out := tidemark.Outcome{Name: tidemark.Name{Replica: "r", N: n, Hash: hash}}
	if err != nil {
		v := lite.Violation(err)
		if v == nil {
			o.t.Fatalf("judging %d: %v", n, err)
		}
		out.Kind, out.Code, out.Message, out.Seq = tidemark.Rejected, v.Code, v.Msg, o.seq
		return out, nil
	}
	b := o.commit()
	out.Kind, out.Seq = tidemark.Accepted, o.seq
	return out, b
}

func (o *origin) write(c *tidemark.Change) error {
	t := o.schema.Table(c.Table)
	var err error
	switch c.Op {
	case tidemark.Insert:
		there, gerr := row.Get(o.db, t, c.Key)
		must(o.t, gerr)
		if there != nil && slices.Equal(there[:len(c.New)], c.New) {
			return nil
		}
		err = row.Insert(o.db, t, c.New)
	case tidemark.Update:
		_, err = row.Update(o.db, t, c.Key, c.Cols, c.New)
	case tidemark.Delete:
		_, err = row.Delete(o.db, t, c.Key)
	}
	return err
}

// copyFile copies the origin's file as a snapshot.
func (o *origin) copyFile() string {
	o.t.Helper()
	path := filepath.Join(o.t.TempDir(), "copy.db")
	data, err := os.ReadFile(o.path)
	must(o.t, err)
	must(o.t, os.WriteFile(path, data, 0o600))
	return path
}

func (o *origin) state() tidemark.SpaceState {
	return tidemark.SpaceState{Space: "s", Incarnation: "inc", Term: "term", Head: o.seq, Sum: o.sum(),
		SchemaHash: o.schema.Hash, DigestKey: o.key}
}

// device is a replica with an app that writes on a connection of its own.
type device struct {
	t    *testing.T
	path string
	r    *Replica
	app  *lite.DB
	salt io.Reader
	now  int64
}

func (o *origin) clone() *device {
	o.t.Helper()
	d := &device{t: o.t, path: o.copyFile(), salt: rand.NewChaCha8([32]byte{7})}
	must(o.t, Create(d.path, CreateOptions{Server: "http://x", State: o.state(), Schema: o.schema}))
	d.open()
	o.t.Cleanup(func() {
		d.integrity()
		_ = d.app.Close()
		_ = d.r.Close()
	})
	return d
}

func (d *device) open() {
	d.t.Helper()
	var err error
	d.r, err = Open(d.path, Options{Rand: d.salt})
	must(d.t, err)
	d.app, err = lite.Open(d.path, lite.Options{})
	must(d.t, err)
	must(d.t, d.app.Run("PRAGMA foreign_keys = ON"))
}

// crash closes and opens the file again.
func (d *device) crash() {
	d.t.Helper()
	must(d.t, d.app.Close())
	must(d.t, d.r.Close())
	d.open()
}

// write runs SQL as the app, in one transaction.
func (d *device) write(sql string) {
	d.t.Helper()
	must(d.t, d.app.Transaction(func() error { return d.app.Script(sql) }))
}

func (d *device) seal() int {
	d.t.Helper()
	d.now++
	n, err := d.r.Seal(d.now)
	must(d.t, err)
	return n
}

// commit writes and seals: one pending changeset.
func (d *device) commit(sql string) {
	d.t.Helper()
	d.write(sql)
	if n := d.seal(); n != 1 {
		d.t.Fatalf("%q made %d changesets", sql, n)
	}
}

func (d *device) apply(b *wire.Batch, outcomes ...tidemark.Outcome) *Applied {
	d.t.Helper()
	d.now++
	a, err := d.r.Apply(b, outcomes, d.now)
	must(d.t, err)
	return a
}

// applyWell expects that nothing is to be repaired.
func (d *device) applyWell(b *wire.Batch, outcomes ...tidemark.Outcome) *Applied {
	d.t.Helper()
	a := d.apply(b, outcomes...)
	if a.Repair != "" {
		d.t.Fatalf("to repair: %s", a.Repair)
	}
	return a
}

func (d *device) welcome(w *wire.Welcome, now int64) *Applied {
	d.t.Helper()
	a, err := d.r.Welcome(w, now)
	must(d.t, err)
	return a
}

func saveSchema(t testing.TB, r *Replica, s *wire.Schema) *Applied {
	t.Helper()
	a, err := r.SaveSchema(s, 0)
	must(t, err)
	return a
}

func (d *device) settle(outcomes ...tidemark.Outcome) *Applied {
	d.t.Helper()
	a, err := d.r.Settle(outcomes, d.now)
	must(d.t, err)
	return a
}

func (d *device) pending() []Pending {
	d.t.Helper()
	list, err := d.r.Pending(true)
	must(d.t, err)
	return list
}

func (d *device) status() Status {
	d.t.Helper()
	st, err := d.r.Status()
	must(d.t, err)
	return st
}

func (d *device) rejected() []Rejected {
	d.t.Helper()
	list, err := d.r.Rejected()
	must(d.t, err)
	return list
}

func (d *device) hash(n int64) tidemark.Hash {
	d.t.Helper()
	p, err := loadPending(d.r.db, n)
	must(d.t, err)
	if p == nil {
		d.t.Fatalf("changeset %d is not pending", n)
	}
	return p.hash
}

// rejection is the server's no to a pending changeset.
func (d *device) rejection(n int64, seq tidemark.Seq, code tidemark.Code) tidemark.Outcome {
	d.t.Helper()
	return tidemark.Outcome{Name: tidemark.Name{Replica: "r", N: n, Hash: d.hash(n)}, Kind: tidemark.Rejected, Seq: seq,
		Code: code, Message: "no"}
}

func (d *device) acceptance(n int64, seq tidemark.Seq) tidemark.Outcome {
	d.t.Helper()
	return tidemark.Outcome{Name: tidemark.Name{Replica: "r", N: n, Hash: d.hash(n)}, Kind: tidemark.Accepted, Seq: seq}
}

func (d *device) rows() images { return readRows(d.t, d.r.db, d.r.Schema()) }

// get returns a query's first row as text.
func (d *device) get(sql string) string {
	d.t.Helper()
	values, err := d.r.db.Get(sql)
	must(d.t, err)
	return fmt.Sprint(values)
}

func (d *device) want(sql, what string) {
	d.t.Helper()
	if got := d.get(sql); got != what {
		d.t.Fatalf("%s\n got %s\nwant %s", sql, got, what)
	}
}

func (d *device) integrity() {
	got, err := d.r.db.Text("PRAGMA integrity_check")
	if err != nil || got != "ok" {
		d.t.Errorf("integrity_check: %s %v", got, err)
	}
}

// checkBase compares what the file says is confirmed with what is.
func (d *device) checkBase(confirmed images) {
	d.t.Helper()
	touched := map[rowID]bool{}
	for _, p := range d.pending() {
		for i := range p.Changes {
			if t := synced(d.r.schema, p.Changes[i].Table); t != nil {
				for _, id := range rowsOf(t, &p.Changes[i]) {
					touched[id] = true
				}
			}
		}
	}
	held := map[rowID]bool{}
	for _, t := range d.r.schema.Tables {
		base, err := loadBase(d.r.db, t)
		must(d.t, err)
		for key, image := range base {
			id := rowID{t.ID, key}
			held[id] = true
			if !touched[id] {
				d.t.Fatalf("an image of %s %q is kept that nothing pending touches", t.Name, key)
			}
			if !slices.Equal(image, confirmed[id]) {
				d.t.Fatalf("confirmed image of %s %q\n got %v\nwant %v", t.Name, key, image, confirmed[id])
			}
		}
	}
	for id := range touched {
		if !held[id] {
			d.t.Fatalf("no confirmed image of row %v, which pending touches", id)
		}
	}
}

func compareRows(t testing.TB, s *tidemark.Schema, got, want images) {
	t.Helper()
	all := images{}
	for id := range got {
		all[id] = nil
	}
	for id := range want {
		all[id] = nil
	}
	var buf bytes.Buffer
	for _, id := range inOrder(all) {
		if !slices.Equal(got[id], want[id]) {
			fmt.Fprintf(&buf, "%s %q\n got %v\nwant %v\n", s.Table(id.t).Name, id.key, got[id], want[id])
		}
	}
	if buf.Len() > 0 {
		t.Fatalf("rows differ\n%s", buf.String())
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v (%s)", err, tidemark.HintOf(err))
	}
}

func sortedNs(list []Pending) []int64 {
	ns := []int64{}
	for _, p := range list {
		ns = append(ns, p.N)
	}
	sort.Slice(ns, func(i, j int) bool { return ns[i] < ns[j] })
	return ns
}
