package replica

import (
	"encoding/json"
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Rejected is a changeset that was refused, or a difference that was saved.
type Rejected struct {
	ID      int64             `json:"id"`
	N       int64             `json:"n"`
	Code    tidemark.Code     `json:"code"`
	Message string            `json:"message"`
	Table   string            `json:"table,omitempty"`
	Key     []tidemark.Value  `json:"-"`
	Columns []string          `json:"columns,omitempty"`
	Seq     tidemark.Seq      `json:"seq"`
	MadeAt  int64             `json:"made_at"`
	At      int64             `json:"at"`
	Schema  string            `json:"schema"`
	Changes []tidemark.Change `json:"-"`
}

// Rejected lists kept rejected changesets, oldest first.
func (r *Replica) Rejected() ([]Rejected, error) {
	list, err := r.rejected("ORDER BY id")
	if err != nil {
		return nil, failure("rejected", err)
	}
	return list, nil
}

func (r *Replica) rejected(which string, args ...tidemark.Value) ([]Rejected, error) {
	var list []Rejected
	err := r.db.Each(`SELECT id, n, code, message, tbl, key, cols, seq, made_at, at, schema, body
		FROM main._tm_rejected `+which, func(s *lite.Stmt) error {
		rej, err := readRejected(s)
		list = append(list, rej)
		return err
	}, args...)
	return list, err
}

func readRejected(s *lite.Stmt) (rej Rejected, err error) {
	rej = Rejected{ID: s.Int(0), N: s.Int(1), Code: tidemark.Code(s.Text(2)), Message: s.Text(3), Table: s.Text(4),
		Seq: tidemark.Seq(s.Int(7)), MadeAt: s.Int(8), At: s.Int(9), Schema: s.Text(10)}
	if rej.Key, err = decodeImage(s, 5); err != nil {
		return rej, err
	}
	columns, err := decodeImage(s, 6)
	if err != nil {
		return rej, err
	}
	for _, c := range columns {
		rej.Columns = append(rej.Columns, c.Str())
	}
	rej.Changes, err = wire.DecodeChanges(s.Blob(11))
	return rej, err
}

// oneRejected reads one record or fails with tidemark.CodeNotFound.
func (r *Replica) oneRejected(id int64) (*Rejected, error) {
	list, err := r.rejected("WHERE id = ?1", tidemark.Int(id))
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, &tidemark.Error{Code: tidemark.CodeNotFound,
			Msg: fmt.Sprintf("there is no rejected changeset %d", id), Hint: "`tidemark rejected FILE` lists them"}
	}
	return &list[0], nil
}

// saveRejected keeps a refused changeset with everything that the server said.
func (r *Replica) saveRejected(p *record, o *tidemark.Outcome) error {
	body, err := r.named(p)
	if err != nil {
		return err
	}
	return r.keepRejected(Rejected{N: p.n, Code: o.Code, Message: o.Message, Table: o.Table, Key: o.Key, Columns: o.Columns,
		Seq: o.Seq, MadeAt: p.madeAt, At: r.now, Schema: p.schema}, p.hash[:], body)
}

func (r *Replica) keepRejected(rej Rejected, hash, body []byte) error {
	var columns []tidemark.Value
	for _, c := range rej.Columns {
		columns = append(columns, tidemark.Text(c))
	}
	last, err := meta.Int(r.db, keyKept)
	if err != nil {
		return err
	}
	if err := meta.SetInt(r.db, keyKept, last+1); err != nil {
		return err
	}
	return r.db.Run(`INSERT INTO main._tm_rejected (id, n, hash, code, message, tbl, key, cols, seq, made_at, at, schema, body)
		VALUES (?13, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)`,
		tidemark.Int(rej.N), tidemark.Blob(hash), tidemark.Text(string(rej.Code)), tidemark.Text(rej.Message),
		tidemark.Text(rej.Table), encodeImage(rej.Key), encodeImage(columns), tidemark.Int(int64(rej.Seq)),
		tidemark.Int(rej.MadeAt), tidemark.Int(rej.At), tidemark.Text(rej.Schema), tidemark.Blob(body), tidemark.Int(last+1))
}

// Discard disposes of a rejected changeset for good.
func (r *Replica) Discard(id int64) error {
	return r.transaction("discard", 0, func() error {
		if _, err := r.oneRejected(id); err != nil {
			return err
		}
		return r.dropRejected(id)
	})
}

func (r *Replica) dropRejected(id int64) error {
	return r.db.Run("DELETE FROM main._tm_rejected WHERE id = ?1", tidemark.Int(id))
}

// Export writes a rejected changeset as JSON with the names of tables and
// columns, for people and other programs.
func (r *Replica) Export(id int64) ([]byte, error) {
	rej, err := r.oneRejected(id)
	if err != nil {
		return nil, failure("export", err)
	}
	doc := struct {
		Rejected
		Key     []any        `json:"key,omitempty"`
		Changes []ChangeView `json:"changes"`
	}{Rejected: *rej, Changes: r.Describe(rej.Changes)}
	for _, v := range rej.Key {
		doc.Key = append(doc.Key, viewOf(v))
	}
	return json.MarshalIndent(doc, "", "  ")
}
