package schema

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/row"
)

// maxKeyColumns is far beyond any real key and keeps capture's records bounded.
const maxKeyColumns = 64

// inspectTable reads a table and says whether it can sync. What rows one of the
// known ones has does not count: it syncs already, and a bad row is refused
// where rows are.
func inspectTable(db *lite.DB, e entry, known bool) (*tidemark.Table, Verdict, error) {
	switch e.shape {
	case "virtual":
		return nil, refuse(e.name, "it is a virtual table",
			"nothing to do: a clone makes it anew from its definition; triggers that fill it run there as well"), nil
	case "shadow":
		return nil, refuse(e.name, "it is the storage of a virtual table", "nothing to do: it comes with its virtual table"), nil
	}
	if !utf8.ValidString(e.sql) {
		return nil, refuse(e.name, "its definition is not valid UTF-8", "recreate the table with valid names and defaults"), nil
	}
	t, _, err := readTable(db, e)
	if err != nil {
		if unreadable(err) {
			return nil, refuse(e.name, "SQLite cannot open it here: "+plain(err), "open it with the program that provides what is missing"), nil
		}
		return nil, Verdict{}, err
	}
	if reason, hint := refusal(t); reason != "" {
		return nil, refuse(t.Name, reason, hint), nil
	}
	checks := []func(*lite.DB, *tidemark.Table) (string, string, error){keyCollations, prepares}
	if !known {
		checks = append(checks, nullKeys)
	}
	for _, check := range checks {
		reason, hint, err := check(db, t)
		if err != nil {
			return nil, Verdict{}, err
		}
		if reason != "" {
			return nil, refuse(t.Name, reason, hint), nil
		}
	}
	return t, Verdict{Table: t.Name, Syncs: true, Notes: notes(t)}, nil
}

func refuse(table, reason, hint string) Verdict {
	return Verdict{Table: table, Reason: reason, Hint: hint}
}

// unreadable reports whether err is about the table's definition rather than
// about the file.
func unreadable(err error) bool {
	return !lite.Busy(err) && !lite.Corrupt(err) && !lite.Full(err) && !lite.Interrupted(err) && !lite.NotADatabase(err)
}

// plain cuts the driver's prefixes off a message.
func plain(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "sqlite3: "), "SQL logic error: ")
}

// refusal judges what can be told from the definition alone.
func refusal(t *tidemark.Table) (reason, hint string) {
	switch {
	case len(t.Key) == 0:
		return "it has no primary key", "recreate it with a PRIMARY KEY, e.g. id INTEGER PRIMARY KEY, so that its rows can be told apart"
	case len(t.Key) > maxKeyColumns:
		return fmt.Sprintf("its primary key has %d columns, more than %d", len(t.Key), maxKeyColumns), "give it a smaller key"
	case strings.ContainsRune(t.Name, 0):
		return "its name has a NUL character", "rename it"
	}
	for _, k := range t.Key {
		if k < 0 {
			return "its primary key has a generated column", "make the key of stored columns"
		}
	}
	if name := unknownCollation(t); name != "" {
		return "it needs the collation " + name + ", which is not built into SQLite",
			"declare the column with BINARY, NOCASE or RTRIM; other programs could not compare its keys"
	}
	return "", ""
}

func unknownCollation(t *tidemark.Table) string {
	for _, c := range t.Columns {
		if !builtin(c.Collation) {
			return c.Collation
		}
	}
	for _, u := range t.Uniques {
		for _, term := range u.Terms {
			if !builtin(term.Collation) {
				return term.Collation
			}
		}
	}
	return ""
}

func builtin(collation string) bool {
	return collation == "BINARY" || collation == "NOCASE" || collation == "RTRIM"
}

// keyCollations refuses a key that compares otherwise than its columns do:
// rows could then be two for the key and one for everybody else.
func keyCollations(db *lite.DB, t *tidemark.Table) (reason, hint string, err error) {
	if t.RowidAlias {
		return "", "", nil
	}
	const sql = `SELECT x.name, x.coll FROM pragma_index_list(?1, 'main') AS l, pragma_index_xinfo(l.name, 'main') AS x
		WHERE l.origin = 'pk' AND x.key = 1`
	err = db.Each(sql, func(s *lite.Stmt) error {
		if i := t.Place(s.Text(0)); i >= 0 && t.Columns[i].Collation != collation(s.Text(1)) {
			reason = fmt.Sprintf("its primary key compares %s by %s, the column itself by %s",
				t.Columns[i].Name, collation(s.Text(1)), t.Columns[i].Collation)
			hint = "declare the collation on the column"
		}
		return nil
	}, tidemark.Text(t.Name))
	return reason, hint, err
}

// nullKeys looks for rows without a key: a rowid table takes any number of
// NULLs in a primary key that is not its rowid.
func nullKeys(db *lite.DB, t *tidemark.Table) (reason, hint string, err error) {
	where := row.WhereKeyless(t)
	if where == "" {
		return "", "", nil
	}
	n, err := db.Int("SELECT count(*) FROM main." + lite.Quote(t.Name) + " WHERE " + where)
	if err != nil || n == 0 {
		return "", "", err
	}
	return fmt.Sprintf("its primary key is NULL in %d row(s)", n), "give these rows a key, or delete them, then declare the key NOT NULL", nil
}

// prepares asks SQLite to compile a write of each kind, which fails when the
// table needs a function that is not here. Nothing runs.
func prepares(db *lite.DB, t *tidemark.Table) (reason, hint string, err error) {
	err = db.WithTriggers(false, func() error {
		for _, sql := range Writes(t.Name, t.Columns) {
			if cerr := db.Compile(sql); cerr != nil && !referenceTrouble(cerr) {
				reason, hint = "SQLite cannot write it here: "+plain(cerr), "write it only with the program that provides what is missing"
			}
		}
		return nil
	})
	return reason, hint, err
}

// referenceTrouble is judged by refuseBadReferences, which names the cause.
func referenceTrouble(err error) bool {
	msg := err.Error()
	return strings.Contains(msg, "foreign key mismatch") || strings.Contains(msg, "no such table")
}

// Writes are an INSERT, an UPDATE of all columns and a DELETE: to compile them
// compiles every trigger and constraint of the table. They are not meant to run.
func Writes(name string, columns []tidemark.Column) []string {
	sets := make([]string, len(columns))
	for i, c := range columns {
		sets[i] = lite.Quote(c.Name) + " = " + lite.Quote(c.Name)
	}
	return []string{
		"INSERT INTO main." + lite.Quote(name) + " DEFAULT VALUES",
		"UPDATE main." + lite.Quote(name) + " SET " + strings.Join(sets, ", "),
		"DELETE FROM main." + lite.Quote(name),
	}
}
