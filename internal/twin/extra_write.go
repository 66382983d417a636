package twin

import (
	"math/rand/v2"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// extras makes statements for the extra tables.
type extras struct {
	apps interface {
		Policies(*tidemark.Schema) (*tidemark.Schema, error)
	}
	r     *rand.Rand
	kinds []int // of statements that this run likes
	sets  []int // of columns of xpol that it likes
}

// like chooses what a run does most, so that edits meet.
func (x *extras) like() {
	for range 1 + x.r.IntN(4) {
		x.kinds = append(x.kinds, x.r.IntN(statements))
		x.sets = append(x.sets, x.r.IntN(len(policySets)))
	}
	for range x.r.IntN(4) {
		x.kinds = append(x.kinds, statements-1)
	}
}

// pick chooses one of n, mostly one that the run likes.
func (x *extras) pick(n int, liked []int) int {
	if x.r.IntN(3) > 0 && len(liked) > 0 {
		return liked[x.r.IntN(len(liked))]
	}
	return x.r.IntN(n)
}

// statements counts the kinds of statement makes; the last ones set columns of xpol.
const statements = 29

// write runs one to three statements, and tells each before.
func (x *extras) write(db *lite.DB, heard func(sql string, args []tidemark.Value)) error {
	for range 1 + x.r.IntN(3) {
		sql, args := x.statement(db)
		heard(sql, args)
		if err := db.Run(sql, args...); err != nil {
			return err
		}
	}
	return nil
}

func (x *extras) statement(db *lite.DB) (string, []tidemark.Value) {
	if kind := x.pick(statements, x.kinds); kind < len(statementKinds) {
		return statementKinds[kind](x, db)
	}
	var places []int
	for range 1 + x.r.IntN(3) {
		places = append(places, x.pick(len(policySets), x.sets))
	}
	return x.policy(x.id(db, "xpol"), places)
}

func values(args ...tidemark.Value) []tidemark.Value { return args }

func (x *extras) number(most int64) tidemark.Value { return tidemark.Int(x.r.Int64N(most)) }

// statementKinds make one statement each.
var statementKinds = []func(x *extras, db *lite.DB) (string, []tidemark.Value){
	func(x *extras, _ *lite.DB) (string, []tidemark.Value) {
		return "INSERT INTO xdoc (body, n) VALUES (?1, ?2)", values(tidemark.Text(x.words()), x.number(9))
	},
	func(x *extras, db *lite.DB) (string, []tidemark.Value) {
		return "UPDATE xdoc SET body = ?2 WHERE id = ?1", values(x.id(db, "xdoc"), tidemark.Text(x.words()))
	},
	func(x *extras, db *lite.DB) (string, []tidemark.Value) {
		return "UPDATE xdoc SET n = n + 1, seen = ?2 WHERE id = ?1", values(x.id(db, "xdoc"), x.value())
	},
	func(x *extras, db *lite.DB) (string, []tidemark.Value) {
		return "DELETE FROM xdoc WHERE id = ?1", values(x.id(db, "xdoc"))
	},
	func(x *extras, _ *lite.DB) (string, []tidemark.Value) {
		return "INSERT OR REPLACE INTO xloose VALUES (?1, ?2)", values(x.maybe(tidemark.Text(x.letter())), x.value())
	},
	func(x *extras, _ *lite.DB) (string, []tidemark.Value) {
		return "UPDATE xloose SET v = ?1 WHERE k > ?2", values(x.value(), tidemark.Text(x.letter()))
	},
	func(x *extras, db *lite.DB) (string, []tidemark.Value) {
		return "INSERT INTO xauto (u, up) VALUES (?1, ?2)", values(x.maybe(tidemark.Text(x.letter()+x.letter())), x.maybe(x.id(db, "xauto")))
	},
	func(x *extras, db *lite.DB) (string, []tidemark.Value) {
		return "UPDATE OR REPLACE xauto SET u = ?2 WHERE id = ?1", values(x.id(db, "xauto"), tidemark.Text(x.letter()))
	},
	func(x *extras, db *lite.DB) (string, []tidemark.Value) {
		return "DELETE FROM xauto WHERE id = ?1", values(x.id(db, "xauto"))
	},
	func(x *extras, _ *lite.DB) (string, []tidemark.Value) {
		return "INSERT OR REPLACE INTO xwide (a, b, c, d, e, f, v1, v5, v11) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
			values(x.number(2), tidemark.Text(x.letter()+strings.Repeat(" ", x.r.IntN(2))), tidemark.Blob([]byte{byte(x.r.IntN(2))}),
				tidemark.Real(float64(x.r.IntN(2))), tidemark.Int(1), x.number(2), x.value(), x.value(), x.value())
	},
	func(x *extras, _ *lite.DB) (string, []tidemark.Value) {
		return "UPDATE xwide SET v2 = ?1, v9 = ?2, v10 = ?3, v12 = ?4 WHERE f = ?5", values(x.value(), x.value(), x.value(), x.value(), x.number(2))
	},
	func(x *extras, _ *lite.DB) (string, []tidemark.Value) {
		return "UPDATE OR IGNORE xwide SET e = ?1, v3 = ?2 WHERE a = ?3", values(x.number(3), x.value(), x.number(2))
	},
	func(x *extras, _ *lite.DB) (string, []tidemark.Value) {
		return "INSERT OR IGNORE INTO xone (id, a, b, c) VALUES (?1, ?2, ?3, ?4)", values(tidemark.Text(x.letter()+x.letter()), x.maybe(x.number(3)), tidemark.Text(x.letter()), x.maybe(tidemark.Text(x.letter())))
	},
	func(x *extras, _ *lite.DB) (string, []tidemark.Value) {
		return "UPDATE OR REPLACE xone SET a = ?2, c = ?3 WHERE id >= ?1", values(tidemark.Text(x.letter()), x.maybe(x.number(3)), x.maybe(tidemark.Text(x.letter())))
	},
	func(x *extras, _ *lite.DB) (string, []tidemark.Value) {
		return "INSERT OR IGNORE INTO xpol (id, count, labels, prefs, body, tally) VALUES (?1, ?2, ?3, ?4, ?5, 0)",
			values(tidemark.Text(x.letter()+x.letter()), x.number(9), tidemark.Text(x.labels()), tidemark.Text(x.prefs()), tidemark.Text(x.words()))
	},
	func(x *extras, db *lite.DB) (string, []tidemark.Value) {
		return "DELETE FROM xpol WHERE id = ?1 AND length(id) = 2 AND count % 3 = 0", values(x.id(db, "xpol"))
	},
	func(x *extras, _ *lite.DB) (string, []tidemark.Value) {
		return "INSERT OR REPLACE INTO xkeep VALUES (?1, ?2, ?3)", values(x.number(6), x.value(), tidemark.Text(x.letter()))
	},
	func(x *extras, db *lite.DB) (string, []tidemark.Value) {
		return []string{"DELETE FROM xkeep WHERE id = ?1", "UPDATE xkeep SET b = b || 'u' WHERE id = ?1"}[x.r.IntN(2)], values(x.id(db, "xkeep"))
	},
	func(x *extras, db *lite.DB) (string, []tidemark.Value) {
		return "INSERT OR REPLACE INTO xchild VALUES (?1, ?2, ?3, ?4)", values(tidemark.Text(x.letter()), x.id(db, "xpol"), x.maybe(x.id(db, "xdoc")), x.value())
	},
	func(x *extras, db *lite.DB) (string, []tidemark.Value) {
		return "UPDATE OR IGNORE xpol SET id = id || ?2 WHERE id = ?1", values(x.id(db, "xpol"), tidemark.Text(x.letter()))
	},
	// many rows
	func(x *extras, _ *lite.DB) (string, []tidemark.Value) {
		return "INSERT OR IGNORE INTO xkeep WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) SELECT i, i % 7, 'many' FROM n", values(x.number(400))
	},
	func(x *extras, _ *lite.DB) (string, []tidemark.Value) {
		return "UPDATE xkeep SET a = ?1 WHERE id % 50 = ?2", values(x.value(), x.number(50))
	},
	func(x *extras, db *lite.DB) (string, []tidemark.Value) {
		return "UPDATE xdoc SET body = ?2 WHERE id = ?1", values(x.id(db, "xdoc"), tidemark.Text(x.long()))
	},
	// constraints that hold here and not there
	func(x *extras, db *lite.DB) (string, []tidemark.Value) {
		return "UPDATE OR IGNORE xpol SET tally = ?2 WHERE id = ?1", values(x.id(db, "xpol"), tidemark.Int(x.r.Int64N(101)-50))
	},
	func(x *extras, db *lite.DB) (string, []tidemark.Value) {
		return "INSERT INTO xnote VALUES (?1, ?2)", values(x.id(db, "xdoc"), x.value())
	},
}

// id is the key of some row.
func (x *extras) id(db *lite.DB, table string) tidemark.Value {
	n, err := db.Int("SELECT count(*) FROM " + table)
	if err != nil || n == 0 {
		return tidemark.Int(1)
	}
	row, err := db.Get("SELECT id FROM "+table+" ORDER BY id LIMIT 1 OFFSET ?1", tidemark.Int(x.r.Int64N(n)))
	if err != nil || row == nil {
		return tidemark.Int(1)
	}
	return row[0]
}

// spoil breaks a constraint that is switched off.
func (x *extras) spoil(db *lite.DB, heard func(sql string, args []tidemark.Value)) error {
	broken := []string{
		"UPDATE xpol SET tally = 99 WHERE id = 'p1'",
		"INSERT OR REPLACE INTO xchild VALUES ('orphan', 'nobody', NULL, 1)",
		"INSERT INTO xauto (u, up) VALUES ('x' || random() % 9, 4711)",
		"INSERT OR REPLACE INTO xchild VALUES ('lost', NULL, 4711, 2)",
	}
	if x.r.IntN(2) == 0 {
		if err := x.write(db, heard); err != nil {
			return err
		}
	}
	sql := broken[x.r.IntN(len(broken))]
	sql = strings.Replace(sql, "random() % 9", "'"+x.letter()+"'", 1) // the same in every world
	heard(sql, nil)
	return db.Run(sql)
}

// policySets are the ways in which columns of xpol are set.
var policySets = []struct {
	sql  string
	make func(x *extras) tidemark.Value
}{
	{"count = coalesce(count, 0) + ?", func(x *extras) tidemark.Value { return tidemark.Int(x.r.Int64N(9) - 3) }},
	{"count = ?", (*extras).value},
	{"real = coalesce(real, 0) + ?", func(x *extras) tidemark.Value { return tidemark.Real(x.r.Float64()) }},
	{"real = ?", (*extras).value},
	{"most = ?", (*extras).value},
	{"least = ?", (*extras).value},
	{"labels = ?", func(x *extras) tidemark.Value { return tidemark.Text(x.labels()) }},
	{"labels = ?", (*extras).value},
	{"prefs = ?", func(x *extras) tidemark.Value { return tidemark.Text(x.prefs()) }},
	{"prefs = ?", (*extras).value},
	{"body = ?", func(x *extras) tidemark.Value { return tidemark.Text(x.words()) }},
	{"body = substr(body, 1, 3) || ? || substr(body, 4)", func(x *extras) tidemark.Value { return tidemark.Text(x.words()) }},
	{"body = ?", (*extras).value},
	{"late = ?", (*extras).value},
	{"first = ?", (*extras).value},
	{"strict = ?", (*extras).value},
	{"hand = ?", (*extras).value},
	{"title = ?", func(x *extras) tidemark.Value { return tidemark.Text(x.words()) }},
	{"street = ?", (*extras).value},
	{"city = ?", (*extras).value},
	{"tally = tally + ?", func(x *extras) tidemark.Value { return tidemark.Int(x.r.Int64N(30) - 12) }},
}

// policy sets columns that merge each in its way.
func (x *extras) policy(id tidemark.Value, places []int) (string, []tidemark.Value) {
	var list []string
	args := []tidemark.Value{id}
	used := map[string]bool{}
	for _, at := range places {
		s := policySets[at]
		column, _, _ := strings.Cut(s.sql, " ")
		if used[column] {
			continue
		}
		used[column] = true
		args = append(args, s.make(x))
		list = append(list, strings.Replace(s.sql, "?", "?"+string(rune('0'+len(args))), 1))
	}
	return "UPDATE OR IGNORE xpol SET " + strings.Join(list, ", ") + " WHERE id = ?1", args
}
