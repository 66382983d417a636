package conflict

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// Choice is what somebody decides about a conflict.
type Choice struct {
	side  string // tidemark.WinnerMine or WinnerTheirs; "": value
	value tidemark.Value
}

// The two sides as choices.
var (
	Mine   = Choice{side: tidemark.WinnerMine}
	Theirs = Choice{side: tidemark.WinnerTheirs}
)

// Value chooses a third value.
func Value(v tidemark.Value) Choice { return Choice{value: v} }

// Resolved says what resolving a conflict did.
type Resolved struct {
	IDs   []string // the records that are resolved now: all of a unit
	Table string
	Key   []tidemark.Value
	Cells []Cell // what was written, column by column; for a row that came back or went none
	Row   string // "restored" or "deleted" when the row came back or went; else ""
	// Moved says that somebody changed what the conflict was about since it was
	// recorded. What was asked for was done all the same; Cells tell what it replaced.
	Moved bool
}

// Cell is one column that was written.
type Cell struct {
	Column   string
	Was, Now tidemark.Value
}

// Values of Resolved.Row.
const (
	RowRestored = "restored"
	RowDeleted  = "deleted"
)

// Resolve writes what was chosen and sets the record to resolved. Mine and
// Theirs decide for all columns that merged as one unit, Value for the one
// column of the record.
func Resolve(db *lite.DB, s *tidemark.Schema, id string, choice Choice) (*Resolved, error) {
	j, err := open(db, s, id)
	if err != nil {
		return nil, err
	}
	switch {
	case choice.side != "":
		return j.take(choice.side)
	case j.c.Rows != nil:
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Op: "resolve", Table: j.c.Table, Key: j.c.Key,
			Msg: "the conflict is about the whole row, which no single value can decide", Hint: "take mine or theirs"}
	}
	return j.write([]Conflict{*j.c}, func(*Conflict) tidemark.Value { return choice.value })
}

// Restore writes the side that lost back and sets the record to resolved.
func Restore(db *lite.DB, s *tidemark.Schema, id string) (*Resolved, error) {
	j, err := open(db, s, id)
	if err != nil {
		return nil, err
	}
	switch j.c.Winner {
	case tidemark.WinnerTheirs:
		return j.take(tidemark.WinnerMine)
	case tidemark.WinnerMine:
		return j.take(tidemark.WinnerTheirs)
	}
	return nil, &tidemark.Error{Code: tidemark.CodeUsage, Op: "restore", Table: j.c.Table, Key: j.c.Key,
		Msg: "something of both sides lives in conflict " + id + ", so neither of them is the one that lost", Hint: "take mine or theirs"}
}

// judge acts on one record.
type judge struct {
	db *lite.DB
	c  *Conflict
	t  *tidemark.Table
}

func open(db *lite.DB, s *tidemark.Schema, id string) (*judge, error) {
	c, err := Get(db, id)
	if err != nil {
		return nil, err
	}
	t := s.Named(c.Table)
	switch {
	case t == nil:
		return nil, c.refusal(tidemark.CodeNotFound, "there is no table "+c.Table+" any more")
	case t.Out != "":
		return nil, c.refusal(tidemark.CodeSchema, "table "+c.Table+" does not sync any more: "+t.Out)
	case c.damaged != nil:
		return nil, c.refusal(tidemark.CodeCorrupt, "the record of conflict "+id+" cannot be read: "+c.damaged.Error())
	case len(c.Key) != len(t.Key):
		return nil, c.refusal(tidemark.CodeSchema, "the key of table "+c.Table+" is not the one that conflict "+id+" names")
	}
	return &judge{db: db, c: c, t: t}, nil
}

// refusal is an error about a record that cannot be carried out; the way to be
// rid of it is to say that it is resolved.
func (c *Conflict) refusal(code tidemark.Code, msg string) error {
	return &tidemark.Error{Code: code, Op: "resolve", Table: c.Table, Key: c.Key, Msg: msg,
		Hint: "if nothing is to be done: UPDATE " + tidemark.ConflictsTable + " SET state = 'resolved' WHERE id = " + lite.Literal(tidemark.Text(c.ID))}
}

func (j *judge) take(side string) (*Resolved, error) {
	if j.c.Rows != nil {
		return j.takeRow(side)
	}
	unit, err := j.unit()
	if err != nil {
		return nil, err
	}
	return j.write(unit, func(c *Conflict) tidemark.Value {
		if side == tidemark.WinnerMine {
			return c.Mine
		}
		return c.Theirs
	})
}

// unit lists the records of all columns that merged as one with this one.
func (j *judge) unit() ([]Conflict, error) {
	if j.c.Unit == "" {
		return []Conflict{*j.c}, nil
	}
	return read(j.db, "SELECT "+columns+" FROM main."+tidemark.ConflictsTable+
		" WHERE seq = ?1 AND mine_by = ?2 AND tbl = ?3 AND row = ?4 AND unit = ?5 AND col IS NOT NULL ORDER BY length(id), id",
		tidemark.Int(int64(j.c.Seq)), tidemark.Text(j.c.MineBy), tidemark.Text(j.c.Table), tidemark.Text(j.c.row), tidemark.Text(j.c.Unit))
}

// write sets the columns of records of one row, and the records to resolved.
func (j *judge) write(records []Conflict, value func(*Conflict) tidemark.Value) (*Resolved, error) {
	now, err := row.Get(j.db, j.t, j.c.Key)
	if err != nil {
		return nil, err
	}
	if now == nil {
		return nil, j.c.refusal(tidemark.CodeNotFound, "the row is gone")
	}
	res := j.result()
	var cols []int
	var values []tidemark.Value
	for i := range records {
		c := &records[i]
		col := j.t.Place(c.Column)
		if col < 0 {
			return nil, j.c.refusal(tidemark.CodeNotFound, "table "+c.Table+" has no column "+c.Column+" any more")
		}
		v := value(c)
		cols, values = append(cols, col), append(values, v)
		res.Cells = append(res.Cells, Cell{Column: j.t.Columns[col].Name, Was: now[col], Now: v})
		res.IDs = append(res.IDs, c.ID)
		res.Moved = res.Moved || c.moved(now[col])
	}
	if _, err := row.Update(j.db, j.t, j.c.Key, cols, values); err != nil {
		return nil, err
	}
	return res, j.settle(res)
}

// moved reports whether a cell holds something else than the conflict left in it.
func (c *Conflict) moved(now tidemark.Value) bool {
	switch {
	case c.State == tidemark.StateResolved:
		return false // what it was resolved to is not recorded
	case c.Winner == tidemark.WinnerTheirs:
		return now != c.Theirs
	case c.Winner == tidemark.WinnerMine:
		return now != c.Mine
	}
	return false // nor is what a combination came to
}

func (j *judge) result() *Resolved { return &Resolved{Table: j.t.Name, Key: j.c.Key} }

// settle sets the records to resolved.
func (j *judge) settle(res *Resolved) error {
	for _, id := range res.IDs {
		err := j.db.Run("UPDATE OR ABORT main."+tidemark.ConflictsTable+" SET state = ?1 WHERE id = ?2",
			tidemark.Text(tidemark.StateResolved), tidemark.Text(id))
		if err != nil {
			return err
		}
	}
	return nil
}
