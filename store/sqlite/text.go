package sqlite

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// cell names a cell as parameters ?1 to ?3.
func (v *view) cell(table int, key []tidemark.Value, col int) ([]tidemark.Value, error) {
	t, err := v.table(table)
	if err != nil {
		return nil, err
	}
	return []tidemark.Value{tidemark.Int(int64(t.ID)), tidemark.BlobString(t.KeyID(key)), tidemark.Int(int64(col))}, nil
}

// Texts lists the steps of a text cell behind a seq, oldest first.
func (v *view) Texts(table int, key []tidemark.Value, col int, after tidemark.Seq) ([]tidemark.TextStep, error) {
	args, err := v.cell(table, key, col)
	if err != nil {
		return nil, err
	}
	var steps []tidemark.TextStep
	err = v.db.Each(`SELECT seq, replica, n, seen, done, sent, refused FROM main._tm_text
		WHERE t = ?1 AND key = ?2 AND c = ?3 AND seq > ?4 ORDER BY seq, i`, func(s *lite.Stmt) error {
		steps = append(steps, tidemark.TextStep{
			Seq: tidemark.Seq(s.Int(0)), Name: tidemark.Name{Replica: s.Text(1), N: s.Int(2)},
			Seen: tidemark.Seq(s.Int(3)), Done: s.Text(4), Sent: s.Text(5), Refused: s.Int(6) != 0,
		})
		return nil
	}, append(args, tidemark.Int(int64(after)))...)
	return steps, err
}

// SaveText adds a step at the end of a cell's text history.
func (x *tx) SaveText(table int, key []tidemark.Value, col int, s tidemark.TextStep) error {
	args, err := x.cell(table, key, col)
	if err != nil {
		return err
	}
	refused := int64(0)
	if s.Refused {
		refused = 1
	}
	return x.db.Run(`INSERT INTO main._tm_text (t, key, c, seq, i, replica, n, seen, done, sent, refused)
		VALUES (?1, ?2, ?3, ?4, (SELECT count(*) FROM main._tm_text WHERE t = ?1 AND key = ?2 AND c = ?3 AND seq = ?4), ?5, ?6, ?7, ?8, ?9, ?10)`,
		append(args, tidemark.Int(int64(s.Seq)), tidemark.Text(s.Name.Replica), tidemark.Int(s.Name.N),
			tidemark.Int(int64(s.Seen)), tidemark.Text(s.Done), tidemark.Text(s.Sent), tidemark.Int(refused))...)
}

// DropTexts forgets the text history of a row.
func (x *tx) DropTexts(table int, key []tidemark.Value) error {
	args, err := x.cell(table, key, 0)
	if err != nil {
		return err
	}
	return x.db.Run("DELETE FROM main._tm_text WHERE t = ?1 AND key = ?2", args[:2]...)
}

// EditTime returns when the value of a cell was made, 0 when nothing is known.
func (v *view) EditTime(table int, key []tidemark.Value, col int) (int64, error) {
	args, err := v.cell(table, key, col)
	if err != nil {
		return 0, err
	}
	return v.db.Int("SELECT at FROM main._tm_time WHERE t = ?1 AND key = ?2 AND c = ?3", args...)
}

// SaveEditTime keeps when the value of a cell was made; 0 forgets it.
func (x *tx) SaveEditTime(table int, key []tidemark.Value, col int, at int64) error {
	args, err := x.cell(table, key, col)
	if err != nil {
		return err
	}
	if at == 0 {
		return x.db.Run("DELETE FROM main._tm_time WHERE t = ?1 AND key = ?2 AND c = ?3", args...)
	}
	return x.db.Run("INSERT OR REPLACE INTO main._tm_time (t, key, c, at) VALUES (?1, ?2, ?3, ?4)", append(args, tidemark.Int(at))...)
}
