package capture

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// A capture trigger that does not compile would make every write of its table
// fail, in every program. Better not to capture at all: Install compiles a
// write of each kind and gives up, by an error, when ours are to blame.

// verify compiles writes of the tables of triggers that are new.
func verify(db *lite.DB, place Place, s *tidemark.Schema, made map[int][]trigger) error {
	if len(made) == 0 {
		return nil
	}
	return db.WithTriggers(true, func() error {
		for _, t := range s.Tables {
			if err := verifyTable(db, place, t, made[t.ID]); err != nil {
				return err
			}
		}
		return nil
	})
}

func verifyTable(db *lite.DB, place Place, t *tidemark.Table, made []trigger) error {
	if len(made) == 0 {
		return nil
	}
	cause := compiles(db, t)
	if cause == nil {
		return nil
	}
	if err := dropAll(db, place, made); err != nil {
		return err
	}
	if compiles(db, t) != nil { // without ours it does not work either
		return createAll(db, place, made)
	}
	return &tidemark.Error{
		Code: tidemark.CodeInternal, Op: "capture", Table: t.Name, Err: cause,
		Msg:  "the capture triggers of table " + t.Name + " do not compile",
		Hint: "please report this with the table's definition; the table works on without capture",
	}
}

func compiles(db *lite.DB, t *tidemark.Table) error {
	for _, sql := range schema.Writes(t.Name, t.Columns) {
		if err := db.Compile(sql); err != nil {
			return err
		}
	}
	return nil
}
