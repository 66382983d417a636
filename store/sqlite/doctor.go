package sqlite

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// Finding is one thing that Doctor found.
type Finding struct {
	Level   string `json:"level"` // "ok", "warning", "error"
	About   string `json:"about"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// doctor collects findings on one connection, in one read transaction.
type doctor struct {
	db     *lite.DB
	schema *tidemark.Schema
	found  []Finding
}

// Doctor checks structure, digest, log and bookkeeping of a served file. It
// writes nothing and may run while the file is served.
func Doctor(path string) ([]Finding, error) { return examine(path, lite.Options{ReadOnly: true}) }

func examine(path string, o lite.Options) ([]Finding, error) {
	db, err := openServed(path, o, "doctor")
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	d := &doctor{db: db}
	err = db.View(func() error {
		for _, step := range []func() error{d.structure, d.bookkeeping, d.capture, d.foreign, d.log, d.past, d.rows, d.scopes, d.constraints, d.rejected} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	return d.found, explainOpen(path, "doctor", err)
}

func (d *doctor) ok(about, format string, args ...any) { d.add("ok", about, "", format, args) }
func (d *doctor) warn(about, hint, format string, args ...any) {
	d.add("warning", about, hint, format, args)
}
func (d *doctor) fail(about, hint, format string, args ...any) {
	d.add("error", about, hint, format, args)
}

func (d *doctor) add(level, about, hint, format string, args []any) {
	d.found = append(d.found, Finding{Level: level, About: about, Message: fmt.Sprintf(format, args...), Hint: hint})
}

const fromBackup = "restore a backup; replicas notice and keep what the server does not have"

func (d *doctor) structure() error {
	said, err := d.db.Text("PRAGMA main.integrity_check(1)")
	if err != nil {
		return err
	}
	if !intact(said) {
		d.fail("structure", fromBackup, "the file is damaged: %s", said)
		return nil
	}
	d.ok("structure", "the file is sound")
	return nil
}

func (d *doctor) bookkeeping() error {
	hash, err := meta.Get(d.db, meta.KeySchema)
	if err != nil {
		return err
	}
	if d.schema, err = readSchema(d.db, hash); err != nil {
		return err
	}
	known := map[string]bool{"_tm_meta": true, "_tm_table": true, "_tm_log": true}
	for _, sql := range append([]string{feedIndex}, bookkeeping...) {
		known[nameIn(sql)] = true
	}
	return d.db.Each("SELECT type, name FROM main.sqlite_master WHERE type IN ('table', 'index', 'view') AND sql IS NOT NULL", func(s *lite.Stmt) error {
		if name := s.Text(1); meta.Own(name) && !known[name] {
			d.warn("bookkeeping", "detach and serve the file again to get rid of it", "%s %s is not part of this version's bookkeeping", s.Text(0), name)
		}
		return nil
	})
}

// capture compares the triggers with those that this build would make.
func (d *doctor) capture() error {
	ddl, err := d.db.Int("PRAGMA main.schema_version")
	if err != nil {
		return err
	}
	at, err := meta.Int(d.db, meta.KeyDDLVersion)
	if err != nil {
		return err
	}
	if ddl != at {
		d.warn("capture", "start the server; it follows the schema", "the schema changed since the file was served last")
		return nil
	}
	for _, t := range d.schema.Tables {
		n, err := d.db.Int("SELECT count(*) FROM main.sqlite_master WHERE type = 'trigger' AND tbl_name = ?1 AND substr(name, 1, 4) = '_tm_'", tidemark.Text(t.Name))
		switch {
		case err != nil:
			return err
		case t.Out != "":
			d.warn("capture", "", "table %s does not sync: %s", t.Name, t.Out)
		case n == 0:
			d.fail("capture", "start the server; it makes them anew", "table %s has no capture triggers", t.Name)
		}
	}
	return nil
}

func (d *doctor) foreign() error {
	err := sealed(d.db, "main")
	if tidemark.CodeOf(err) == tidemark.CodeBusy {
		d.warn("log", "start the server; it sequences them", "other programs' changes are not sequenced yet")
		return nil
	}
	return err
}

// log looks for gaps: seqs are 1, 2, 3 ... and terms begin inside them.
func (d *doctor) log() error {
	head, _, err := readPlace(d.db, "main")
	if err != nil {
		return err
	}
	n, err := d.db.Int("SELECT count(*) FROM main._tm_changeset WHERE seq > 0")
	if err != nil {
		return err
	}
	if n != int64(head) {
		d.fail("log", fromBackup, "the log has %d entries up to seq %d", n, head)
	} else {
		d.ok("log", "%d changesets without a gap", n)
	}
	n, err = d.db.Int("SELECT count(*) FROM main._tm_row WHERE seq > ?1", tidemark.Int(int64(head)))
	if err == nil && n > 0 {
		d.fail("log", fromBackup, "%d rows were changed at a seq that the log does not have", n)
	}
	return err
}

// rows recomputes every hash from the stored rows and compares it with the
// row's record, and the sums of both with the digest.
func (d *doctor) rows() error {
	key, err := meta.Value(d.db, meta.KeyDigestKey)
	if err != nil {
		return err
	}
	var k digest.Key
	copy(k[:], key.Str())
	h := digest.New(k)
	l := newLedger(h)
	if err := l.load(d.db, "main"); err != nil {
		return err
	}
	n := int64(0)
	for _, t := range d.schema.Tables {
		if t.Out != "" {
			continue
		}
		rows, err := d.table(t, h, l)
		if err != nil {
			return err
		}
		n += rows
	}
	d.ok("digest", "%d rows were read", n)
	return nil
}

func (d *doctor) table(t *tidemark.Table, h *digest.Hasher, l *ledger) (rows int64, err error) {
	c, err := d.count(t, h)
	if err != nil {
		return 0, err
	}
	const scrub = "start the server; its scrub finds the rows and sequences them"
	switch {
	case c.differ > 0:
		d.warn("digest", scrub, "%d rows of %s were changed without being captured", c.differ, t.Name)
	case c.believed != c.rows:
		d.warn("digest", scrub, "%d rows of %s are gone without being captured", c.believed-c.rows, t.Name)
	}
	if c.keyless > 0 {
		d.warn("digest", "give these rows a key, or delete them", "%d rows of %s have NULL in their primary key and do not sync", c.keyless, t.Name)
	}
	digested := uint64(0)
	for _, sum := range l.sums[t.ID] {
		digested += sum
	}
	if c.recorded != digested {
		d.fail("digest", fromBackup, "the digest of %s is not the sum of its rows", t.Name)
	}
	return c.rows, nil
}

// census is what a table holds, beside what the bookkeeping believes of it.
type census struct {
	rows, differ, keyless int64
	believed              int64
	recorded              uint64 // sum of the rows' hashes
}

func (d *doctor) count(t *tidemark.Table, h *digest.Hasher) (c census, err error) {
	err = d.db.Each("SELECT hash FROM main._tm_row WHERE t = ?1 AND hash IS NOT NULL", func(s *lite.Stmt) error {
		c.believed++
		c.recorded += uint64(s.Int(0))
		return nil
	}, tidemark.Int(int64(t.ID)))
	if err != nil {
		return c, err
	}
	x := &tx{view: view{db: d.db, schema: d.schema}}
	err = row.Scan(d.db, t, nil, nil, 0, func(r []tidemark.Value) error {
		if !keyed(t, r) {
			c.keyless++
			return nil
		}
		c.rows++
		hash, live, err := x.hashOf(t, t.KeyID(t.KeyOf(r)))
		if !live || hash != h.Row(t, r) {
			c.differ++
		}
		return err
	})
	return c, err
}

func (d *doctor) constraints() error {
	bad, err := schema.Violations(d.db, d.schema, 100)
	if err != nil {
		return err
	}
	for _, v := range bad {
		d.warn("constraints", "repair the row with any SQLite tool", "%s %s breaks %s: %s", v.Table, v.KeyText, v.Constraint, v.Detail)
	}
	if len(bad) == 0 {
		d.ok("constraints", "every row keeps them")
	}
	return nil
}

func (d *doctor) rejected() error {
	n, err := d.db.Int("SELECT count(*) FROM main._tm_rejected")
	if err == nil && n > 0 {
		d.warn("rejected", "see them with tidemark rejected FILE", "%d changes of other programs broke constraints and were undone", n)
	}
	return err
}
