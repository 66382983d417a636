package sqlite

import (
	"encoding/json"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// detail is what an outcome says beside its code, as JSON. Keys are values in
// the wire's form, kept as bytes: they may hold what JSON text cannot.
type detail struct {
	Message string   `json:"message,omitempty"`
	Table   string   `json:"table,omitempty"`
	Key     []byte   `json:"key,omitempty"`
	Columns []string `json:"columns,omitempty"`
	Lost    []cell   `json:"lost,omitempty"`
	Over    []cell   `json:"over,omitempty"`

	Renumbered []renumbered `json:"renumbered,omitempty"`
}

type cell struct {
	Table  string `json:"table"`
	Key    []byte `json:"key"`
	Column string `json:"column,omitempty"`
}

type renumbered struct {
	Table  string       `json:"table"`
	From   int64        `json:"from"`
	To     int64        `json:"to"`
	Before tidemark.Seq `json:"before"`
}

func encodeDetail(o *tidemark.Outcome) string {
	d := detail{Message: o.Message, Table: o.Table, Columns: o.Columns}
	if o.Key != nil {
		d.Key = wire.AppendValues(nil, o.Key)
	}
	d.Lost, d.Over = encodeCells(o.Lost), encodeCells(o.Over)
	for _, r := range o.Renumbered {
		d.Renumbered = append(d.Renumbered, renumbered(r))
	}
	b, err := json.Marshal(d)
	if err != nil || string(b) == "{}" {
		return ""
	}
	return string(b)
}

func decodeDetail(text string, o *tidemark.Outcome) error {
	if text == "" {
		return nil
	}
	var d detail
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return err
	}
	o.Message, o.Table, o.Columns = d.Message, d.Table, d.Columns
	var err error
	if d.Key != nil {
		if o.Key, err = wire.DecodeValues(d.Key); err != nil {
			return err
		}
	}
	for _, r := range d.Renumbered {
		o.Renumbered = append(o.Renumbered, tidemark.Renumbered(r))
	}
	if o.Lost, err = decodeCells(d.Lost); err != nil {
		return err
	}
	o.Over, err = decodeCells(d.Over)
	return err
}

func encodeCells(cells []tidemark.Cell) []cell {
	var list []cell
	for _, c := range cells {
		list = append(list, cell{c.Table, wire.AppendValues(nil, c.Key), c.Column})
	}
	return list
}

func decodeCells(list []cell) ([]tidemark.Cell, error) {
	var cells []tidemark.Cell
	for _, c := range list {
		key, err := wire.DecodeValues(c.Key)
		if err != nil {
			return nil, err
		}
		cells = append(cells, tidemark.Cell{Table: c.Table, Key: key, Column: c.Column})
	}
	return cells, nil
}

// SaveOutcome records an outcome for ever.
func (x *tx) SaveOutcome(o tidemark.Outcome) error {
	if o.Kind == tidemark.Rejected && o.Seq == 0 {
		o.Seq = x.head
	}
	return x.db.Run(`INSERT INTO main._tm_outcome (replica, n, hash, kind, code, detail, seq) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)`,
		tidemark.Text(o.Replica), tidemark.Int(o.N), tidemark.Blob(o.Hash[:]), tidemark.Text(string(o.Kind)),
		tidemark.Text(string(o.Code)), tidemark.Text(encodeDetail(&o)), tidemark.Int(int64(o.Seq)))
}

const outcomeColumns = "SELECT replica, n, hash, kind, code, detail, seq FROM main._tm_outcome "

func readOutcome(s *lite.Stmt) (tidemark.Outcome, error) {
	o := tidemark.Outcome{
		Name: tidemark.Name{Replica: s.Text(0), N: s.Int(1)},
		Kind: tidemark.OutcomeKind(s.Text(3)), Code: tidemark.Code(s.Text(4)), Seq: tidemark.Seq(s.Int(6)),
	}
	copy(o.Hash[:], s.Blob(2))
	return o, decodeDetail(s.Text(5), &o)
}

// Outcome returns a recorded outcome, or nil.
func (v *view) Outcome(replica string, n int64) (*tidemark.Outcome, error) {
	var found *tidemark.Outcome
	err := v.db.Each(outcomeColumns+"WHERE replica = ?1 AND n = ?2", func(s *lite.Stmt) error {
		o, err := readOutcome(s)
		found = &o
		return err
	}, tidemark.Text(replica), tidemark.Int(n))
	return found, err
}

// Outcomes lists a replica's outcomes behind n.
func (v *view) Outcomes(replica string, n int64, limit int) ([]tidemark.Outcome, error) {
	var list []tidemark.Outcome
	err := v.db.Each(outcomeColumns+"WHERE replica = ?1 AND n > ?2 ORDER BY n"+limited(limit), func(s *lite.Stmt) error {
		o, err := readOutcome(s)
		list = append(list, o)
		return err
	}, tidemark.Text(replica), tidemark.Int(n))
	return list, err
}

// SaveReplica stores what is known of a replica.
func (x *tx) SaveReplica(r tidemark.ReplicaState) error {
	return x.db.Run(`INSERT OR REPLACE INTO main._tm_replica
		(id, principal, ticket, previous, last_n, settled_n, seq, contact, agent) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)`,
		tidemark.Text(r.ID), tidemark.Text(r.Principal), tidemark.Text(r.Ticket), tidemark.Text(r.Previous),
		tidemark.Int(r.LastN), tidemark.Int(r.Settled), tidemark.Int(int64(r.Seq)), tidemark.Int(r.Contact), tidemark.Text(r.Agent))
}

// Replica returns what is known of a replica, or nil.
func (v *view) Replica(id string) (*tidemark.ReplicaState, error) {
	r, err := v.db.Get(`SELECT id, principal, ticket, previous, last_n, settled_n, seq, contact, agent
		FROM main._tm_replica WHERE id = ?1`, tidemark.Text(id))
	if err != nil || r == nil {
		return nil, err
	}
	return &tidemark.ReplicaState{
		ID: r[0].Str(), Principal: r[1].Str(), Ticket: r[2].Str(), Previous: r[3].Str(), LastN: r[4].Int64(),
		Settled: r[5].Int64(), Seq: tidemark.Seq(r[6].Int64()), Contact: r[7].Int64(), Agent: r[8].Str(),
	}, nil
}

// SaveRejectedForeign keeps what another program wrote and may not stand.
func (x *tx) SaveRejectedForeign(changes []tidemark.Change, o tidemark.Outcome) error {
	return x.db.Run("INSERT INTO main._tm_rejected (seq, code, message, detail, body) VALUES (?1, ?2, ?3, ?4, ?5)",
		tidemark.Int(int64(x.head)), tidemark.Text(string(o.Code)), tidemark.Text(o.Message),
		tidemark.Text(encodeDetail(&o)), tidemark.Text(string(wire.AppendChanges(nil, changes, true))))
}

// RejectedForeign is a change of another program's that was undone.
type RejectedForeign struct {
	ID      int64             `json:"id"`
	Outcome tidemark.Outcome  `json:"outcome"`
	Changes []tidemark.Change `json:"-"`
}

// Rejected lists what other programs wrote into a served file and was undone.
func Rejected(path string) ([]RejectedForeign, error) {
	db, err := openServed(path, lite.Options{ReadOnly: true}, "rejected")
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	var list []RejectedForeign
	err = db.Each("SELECT id, seq, code, message, detail, body FROM main._tm_rejected ORDER BY id", func(s *lite.Stmt) error {
		r := RejectedForeign{ID: s.Int(0), Outcome: tidemark.Outcome{
			Name: tidemark.Name{Replica: tidemark.FileReplica}, Kind: tidemark.Rejected,
			Seq: tidemark.Seq(s.Int(1)), Code: tidemark.Code(s.Text(2)), Message: s.Text(3),
		}}
		if err := decodeDetail(s.Text(4), &r.Outcome); err != nil {
			return err
		}
		r.Changes, err = wire.DecodeChanges([]byte(s.Text(5)))
		list = append(list, r)
		return err
	})
	return list, explainOpen(path, "rejected", err)
}
