package sqlite

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Append adds an accepted changeset to the log, see tidemark.Tx.
func (x *tx) Append(e tidemark.LogEntry) error {
	if err := x.ready(); err != nil {
		return err
	}
	seq := x.head + 1
	if e.Seq != 0 && e.Seq != seq {
		return &tidemark.Error{Code: tidemark.CodeInternal, Op: "append", Msg: fmt.Sprintf("seq %d does not follow head %d", e.Seq, x.head)}
	}
	if e.Schema == "" {
		e.Schema = x.schema.Hash
	}
	before, rows, err := x.stampAll(seq, tidemark.Text(e.Name.Replica), e.Effects)
	if err != nil {
		return err
	}
	if x.schema.Scoped() {
		if err := x.keepScopes(seq, rows); err != nil {
			return err
		}
	}
	err = x.db.Run(`INSERT INTO main._tm_changeset (seq, replica, n, hash, author, at, schema, effects, prevs)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`,
		tidemark.Int(int64(seq)), tidemark.Text(e.Name.Replica), tidemark.Int(e.Name.N), tidemark.Blob(e.Name.Hash[:]),
		tidemark.Text(e.Author), tidemark.Int(e.At), tidemark.Text(e.Schema),
		tidemark.Text(string(wire.AppendChanges(nil, e.Effects, true))), tidemark.Blob(before))
	if err != nil {
		return err
	}
	x.head, x.owed = seq, false
	return nil
}

// stampAll stamps the rows and returns at which seqs they were changed before.
// Where rows are in scopes it also returns what each was and is.
func (x *tx) stampAll(seq tidemark.Seq, writer tidemark.Value, effects []tidemark.Change) (prevs, []stamped, error) {
	befores := make([]tidemark.Seq, len(effects))
	var rows []stamped
	for i := range effects {
		r, err := x.stamp(seq, writer, &effects[i])
		if err != nil {
			return nil, nil, err
		}
		if befores[i] = r.was.seq; befores[i] == seq { // the row occurs a second time
			befores[i] = befores[x.firstOf(effects[:i], &effects[i])]
		}
		if r.t != nil && x.schema.Scoped() {
			rows = append(rows, r)
		}
	}
	return encodePrevs(seq, befores), rows, nil
}

// firstOf finds where the row of c occurs first.
func (x *tx) firstOf(effects []tidemark.Change, c *tidemark.Change) int {
	t := x.schema.Table(c.Table)
	id := t.KeyID(c.Key)
	for i := range effects {
		if effects[i].Table == c.Table && t.KeyID(effects[i].Key) == id {
			return i
		}
	}
	return len(effects)
}

// stamped is a row that a changeset was at.
type stamped struct {
	t       *tidemark.Table
	id      string // KeyID
	c       *tidemark.Change
	again   []*tidemark.Change // where the row occurs again
	was, is record
}

// stamp keeps _tm_row and the sums for one effect, and returns what the row was
// before and is; of a table that does not sync nothing.
func (x *tx) stamp(seq tidemark.Seq, writer tidemark.Value, c *tidemark.Change) (stamped, error) {
	t := x.schema.Table(c.Table)
	if t == nil || t.Out != "" {
		return stamped{}, nil
	}
	r := stamped{t: t, id: t.KeyID(c.Key), c: c}
	var err error
	if r.was, err = x.recordOf(t, r.id); err != nil {
		return r, err
	}
	after, gone, err := x.account(t, r.id, c, r.was.hash, r.was.live)
	if err != nil {
		return r, err
	}
	r.is = record{seq, after, !gone}
	hash := tidemark.Int(int64(after))
	if gone {
		r.is.hash, hash = 0, tidemark.Null
	}
	return r, x.db.Run(`INSERT INTO main._tm_row (t, key, seq, writer, hash) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (t, key) DO UPDATE SET seq = ?3, writer = ?4, hash = ?5`,
		tidemark.Int(int64(t.ID)), tidemark.BlobString(r.id), tidemark.Int(int64(seq)), writer, hash)
}

// record is what _tm_row says of a row.
type record struct {
	seq  tidemark.Seq
	hash uint64
	live bool // there is a hash
}

func (x *tx) recordOf(t *tidemark.Table, id string) (record, error) {
	r, err := x.db.Get("SELECT seq, hash FROM main._tm_row WHERE t = ?1 AND key = ?2", tidemark.Int(int64(t.ID)), tidemark.BlobString(id))
	if err != nil || r == nil {
		return record{}, err
	}
	return record{tidemark.Seq(r[0].Int64()), uint64(r[1].Int64()), !r[1].IsNull()}, nil
}

// hashOf reads the hash that is stored for a row; live says whether there is one.
func (x *tx) hashOf(t *tidemark.Table, id string) (hash uint64, live bool, err error) {
	r, err := x.recordOf(t, id)
	return r.hash, r.live, err
}

// account books one effect and returns the hash of the row that results. Where
// the before-image does not explain the stored hash, the difference goes to the
// table's rest, so that the total stays the sum of the rows' hashes.
func (x *tx) account(t *tidemark.Table, id string, c *tidemark.Change, before uint64, live bool) (after uint64, gone bool, err error) {
	l := x.s.ledger
	switch {
	case c.Op == tidemark.Delete && planted.Is(planted.SumIgnoresDeletes):
		return 0, true, nil
	case c.Op == tidemark.Delete:
		if len(c.Old) == len(t.Columns) {
			before -= l.cells(t, id, nil, c.Old, -1)
		}
		l.rest(t.ID, -before)
		return 0, true, nil
	case c.Op == tidemark.Update && live && len(c.Old) == len(c.New):
		after = before - l.cells(t, id, c.Cols, c.Old, -1)
		return after + l.cells(t, id, c.Cols, c.New, 1), false, nil
	}
	values := c.New
	if c.Op == tidemark.Update {
		if values, err = row.Get(x.db, t, c.Key); err != nil {
			return 0, false, err
		}
	}
	if !live {
		return l.cells(t, id, nil, values, 1), values == nil, nil
	}
	after = x.hasher.Row(t, values)
	l.rest(t.ID, after-before)
	return after, values == nil, nil
}
