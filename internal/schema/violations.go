package schema

import (
	"errors"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// errEnough ends a scan that has found as much as was asked for.
var errEnough = errors.New("enough")

// Violations lists rows that break foreign keys, CHECK, NOT NULL and STRICT
// types, at most limit (0: all). It writes nothing that stays: CHECK is
// evaluated by SQLite itself on a copy of each row in another database.
func Violations(db *lite.DB, s *tidemark.Schema, limit int) ([]Violation, error) {
	f := &finder{db: db, limit: limit}
	for _, t := range s.Tables {
		if t.Out != "" {
			continue
		}
		for _, look := range []func(*tidemark.Table) error{f.references, f.nulls, f.checks} {
			err := look(t)
			if errors.Is(err, errEnough) {
				return f.found, nil
			}
			if err != nil {
				return f.found, err
			}
		}
	}
	return f.found, nil
}

type finder struct {
	db    *lite.DB
	limit int
	found []Violation
}

func (f *finder) add(t *tidemark.Table, key []tidemark.Value, constraint, detail string) error {
	texts := make([]string, len(key))
	for i, v := range key {
		texts[i] = v.String()
	}
	f.found = append(f.found, Violation{
		Table: t.Name, Key: key, KeyText: strings.Join(texts, ", "), Constraint: constraint, Detail: detail,
	})
	if f.limit > 0 && len(f.found) >= f.limit {
		return errEnough
	}
	return nil
}

func (f *finder) keyList(t *tidemark.Table) string {
	names := make([]string, len(t.Key))
	for i, c := range t.Key {
		names[i] = "c." + lite.Quote(t.Columns[c].Name)
	}
	return strings.Join(names, ", ")
}

// references looks for children without a parent. A reference with a NULL in
// it refers to nothing.
func (f *finder) references(t *tidemark.Table) error {
	for _, fk := range t.ForeignKeys {
		var given, match, names []string
		generated := false
		for i, c := range fk.Columns {
			if c < 0 {
				generated = true
				break
			}
			q := lite.Quote(t.Columns[c].Name)
			given = append(given, "c."+q+" IS NOT NULL")
			// The parent's collation and affinity decide, so it stands on the left.
			match = append(match, "p."+lite.Quote(fk.To[i])+" = c."+q)
			names = append(names, t.Columns[c].Name)
		}
		if generated {
			continue
		}
		sql := "SELECT " + f.keyList(t) + " FROM main." + lite.Quote(t.Name) + " AS c WHERE " + strings.Join(given, " AND ") +
			" AND NOT EXISTS (SELECT 1 FROM main." + lite.Quote(fk.Parent) + " AS p WHERE " + strings.Join(match, " AND ") + ")"
		detail := strings.Join(names, ", ") + " refers to no row of " + fk.Parent
		if err := f.each(t, sql, "foreign_key", detail); err != nil {
			return err
		}
	}
	return nil
}

func (f *finder) each(t *tidemark.Table, sql, constraint, detail string) error {
	return f.db.Each(sql, func(s *lite.Stmt) error { return f.add(t, s.Row(0), constraint, detail) })
}

func (f *finder) nulls(t *tidemark.Table) error {
	for i, c := range t.Columns {
		if !c.NotNull || t.RowidAlias && t.Key[0] == i {
			continue
		}
		// IS NULL on a NOT NULL column is false to SQLite without a look.
		sql := "SELECT " + f.keyList(t) + " FROM main." + lite.Quote(t.Name) + " AS c WHERE typeof(c." + lite.Quote(c.Name) + ") = 'null'"
		if err := f.each(t, sql, "not_null", c.Name+" is NULL"); err != nil {
			return err
		}
	}
	return nil
}

// checks puts each row into an empty table of the same definition in a
// database of its own and hears what SQLite says of it.
func (f *finder) checks(t *tidemark.Table) error {
	if !t.Strict && !mentions(t.SQL, "CHECK") {
		return nil
	}
	scratch, err := lite.Open(":memory:", lite.Options{Create: true})
	if err != nil {
		return err
	}
	defer func() { _ = scratch.Close() }()
	if err := scratch.AllowQuotedStrings(); err != nil {
		return err
	}
	if err := scratch.Script("PRAGMA foreign_keys = OFF; " + t.SQL); err != nil {
		return err
	}
	return row.Scan(f.db, t, nil, nil, 0, func(values []tidemark.Value) error {
		return f.check(scratch, t, values)
	})
}

func (f *finder) check(scratch *lite.DB, t *tidemark.Table, values []tidemark.Value) error {
	err := row.Insert(scratch, t, values)
	if err == nil {
		return scratch.Run("DELETE FROM main." + lite.Quote(t.Name))
	}
	v := lite.Violation(err)
	if v == nil {
		return err
	}
	if v.Code == tidemark.CodeNotNull {
		return nil // nulls told it already
	}
	return f.add(t, t.KeyOf(values), string(v.Code), v.Msg)
}
