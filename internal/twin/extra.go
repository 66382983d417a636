package twin

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// extra is what the simulator's apps do not have: an index for full text kept
// by triggers, keys that can be NULL, rows wider than a record of the log,
// values that no app should write under policies that must take them.
const extra = `
CREATE TABLE xdoc (id INTEGER PRIMARY KEY, body TEXT NOT NULL DEFAULT '', seen, n INTEGER DEFAULT 0);
CREATE VIRTUAL TABLE xdoc_text USING fts5(body, content='xdoc', content_rowid='id');
CREATE TRIGGER xdoc_ai AFTER INSERT ON xdoc BEGIN INSERT INTO xdoc_text(rowid, body) VALUES (new.id, new.body); END;
CREATE TRIGGER "xdoc ad" AFTER DELETE ON xdoc BEGIN INSERT INTO xdoc_text(xdoc_text, rowid, body) VALUES ('delete', old.id, old.body); END;
CREATE TRIGGER [xdoc_au] AFTER UPDATE OF id, body ON xdoc BEGIN
  INSERT INTO xdoc_text(xdoc_text, rowid, body) VALUES ('delete', old.id, old.body);
  INSERT INTO xdoc_text(rowid, body) VALUES (new.id, new.body); END;
CREATE TRIGGER xdoc_stamp AFTER UPDATE OF body ON xdoc BEGIN UPDATE xdoc SET seen = 'stamped ' || new.n WHERE id = new.id; END;
CREATE TABLE xloose (k TEXT PRIMARY KEY, v);
CREATE TABLE xauto (id INTEGER PRIMARY KEY AUTOINCREMENT, u TEXT UNIQUE COLLATE NOCASE, up INTEGER REFERENCES xauto (id) ON DELETE SET NULL);
CREATE TABLE xwide (a INTEGER, b TEXT COLLATE RTRIM, c BLOB, d REAL, e, f INTEGER, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12 DEFAULT 'twelve',
  PRIMARY KEY (a, b, c, d, e, f)) WITHOUT ROWID;
CREATE TABLE xone (a, b TEXT, c, id TEXT PRIMARY KEY NOT NULL, UNIQUE (a, b));
CREATE UNIQUE INDEX xone_c ON xone (lower(c)) WHERE c IS NOT NULL AND typeof(c) = 'text';
CREATE TABLE xpol (id TEXT PRIMARY KEY NOT NULL, count INTEGER, real REAL, most, least, labels TEXT, prefs TEXT, body TEXT, late, first,
  strict, hand, title TEXT, street TEXT, city TEXT, tally INTEGER CHECK (tally BETWEEN -50 AND 50));
CREATE TABLE xkeep (id INTEGER PRIMARY KEY, a, b TEXT);
CREATE TABLE xchild (id TEXT PRIMARY KEY NOT NULL, pol TEXT REFERENCES xpol (id) ON DELETE CASCADE ON UPDATE CASCADE, doc INTEGER REFERENCES xdoc (id), what ANY) STRICT;
CREATE TABLE xnote (doc INTEGER REFERENCES xdoc (id) ON DELETE SET NULL ON UPDATE CASCADE, what);
INSERT INTO xpol (id, count, real, labels, prefs, body, tally) VALUES ('p1', 1, 0.5, '[]', '{}', 'one', 0), ('p2', 2, NULL, '["a","b"]', '{"a":{"b":[1]}}', 'zwei
drei', 0), ('p3', NULL, -1e300, NULL, NULL, NULL, NULL);
INSERT INTO xdoc (id, body) VALUES (1, 'alpha beta'), (2, '');
INSERT INTO xauto VALUES (1, 'Ann', NULL), (2, 'Bob', 1);
INSERT INTO xkeep VALUES (1, 1, 'x'), (2, 2, 'y');
`

// policies lays those of the extra tables over a schema that has the apps' policies.
func (x *extras) policies(sc *tidemark.Schema) (*tidemark.Schema, error) {
	laid, err := x.apps.Policies(sc)
	if err != nil {
		return nil, err
	}
	out := *laid
	out.Tables = slices.Clone(laid.Tables)
	for i, t := range out.Tables {
		if strings.HasPrefix(t.Name, "x") || t.Name == "stask" || t.Name == "snote" {
			out.Tables[i] = lay(t)
		}
	}
	out.Hash = schema.HashOf(&out)
	return &out, nil
}

var columnPolicies = map[string]tidemark.Policy{
	"count": tidemark.PolicyCounter, "real": tidemark.PolicyCounter, "tally": tidemark.PolicyCounter, "most": tidemark.PolicyMax,
	"least": tidemark.PolicyMin, "labels": tidemark.PolicySet, "prefs": tidemark.PolicyJSON, "body": tidemark.PolicyText,
	"late": tidemark.PolicyLatestEdit, "first": tidemark.PolicyFirstWrite, "strict": tidemark.PolicyReject, "hand": tidemark.PolicyManual,
	"title": tidemark.PolicyCustom,
}

func lay(t *tidemark.Table) *tidemark.Table {
	c := *t
	c.Columns = slices.Clone(t.Columns)
	switch t.Name {
	case "xpol":
		for i := range c.Columns {
			col := &c.Columns[i]
			col.Policy = columnPolicies[col.Name]
			switch {
			case col.Policy == tidemark.PolicyCustom:
				col.Custom = "longer"
			case col.Name == "street" || col.Name == "city":
				col.Group = "street"
			}
		}
		c.Policy.MaxSkew = time.Minute
	case "xdoc":
		c.Policy.OnInsert = tidemark.InsertRenumber
		c.Columns[1].Policy = tidemark.PolicyText
	case "xauto":
		c.Policy.OnInsert, c.Policy.Lease = tidemark.InsertRenumber, 5
	case "stask":
		c.Columns[4].Policy, c.Columns[5].Policy = tidemark.PolicyCounter, tidemark.PolicyText
		c.Columns[3].Policy = tidemark.PolicyManual
	case "snote":
		c.Policy.OnInsert = tidemark.InsertRenumber
	case "xkeep":
		c.Policy.OnDelete, c.Policy.OnInsert = tidemark.RowManual, tidemark.InsertMerge
	}
	return &c
}

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
	id := func(table string) tidemark.Value { return x.id(db, table) }
	n := func(most int64) tidemark.Value { return tidemark.Int(x.r.Int64N(most)) }
	v := x.value
	list := func(args ...tidemark.Value) []tidemark.Value { return args }
	switch x.pick(statements, x.kinds) {
	case 0:
		return "INSERT INTO xdoc (body, n) VALUES (?1, ?2)", list(tidemark.Text(x.words()), n(9))
	case 1:
		return "UPDATE xdoc SET body = ?2 WHERE id = ?1", list(id("xdoc"), tidemark.Text(x.words()))
	case 2:
		return "UPDATE xdoc SET n = n + 1, seen = ?2 WHERE id = ?1", list(id("xdoc"), v())
	case 3:
		return "DELETE FROM xdoc WHERE id = ?1", list(id("xdoc"))
	case 4:
		return "INSERT OR REPLACE INTO xloose VALUES (?1, ?2)", list(x.maybe(tidemark.Text(x.letter())), v())
	case 5:
		return "UPDATE xloose SET v = ?1 WHERE k > ?2", list(v(), tidemark.Text(x.letter()))
	case 6:
		return "INSERT INTO xauto (u, up) VALUES (?1, ?2)", list(x.maybe(tidemark.Text(x.letter()+x.letter())), x.maybe(id("xauto")))
	case 7:
		return "UPDATE OR REPLACE xauto SET u = ?2 WHERE id = ?1", list(id("xauto"), tidemark.Text(x.letter()))
	case 8:
		return "DELETE FROM xauto WHERE id = ?1", list(id("xauto"))
	case 9:
		return "INSERT OR REPLACE INTO xwide (a, b, c, d, e, f, v1, v5, v11) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
			list(n(2), tidemark.Text(x.letter()+strings.Repeat(" ", x.r.IntN(2))), tidemark.Blob([]byte{byte(x.r.IntN(2))}),
				tidemark.Real(float64(x.r.IntN(2))), tidemark.Int(1), n(2), v(), v(), v())
	case 10:
		return "UPDATE xwide SET v2 = ?1, v9 = ?2, v10 = ?3, v12 = ?4 WHERE f = ?5", list(v(), v(), v(), v(), n(2))
	case 11:
		return "UPDATE OR IGNORE xwide SET e = ?1, v3 = ?2 WHERE a = ?3", list(n(3), v(), n(2))
	case 12:
		return "INSERT OR IGNORE INTO xone (id, a, b, c) VALUES (?1, ?2, ?3, ?4)", list(tidemark.Text(x.letter()+x.letter()), x.maybe(n(3)), tidemark.Text(x.letter()), x.maybe(tidemark.Text(x.letter())))
	case 13:
		return "UPDATE OR REPLACE xone SET a = ?2, c = ?3 WHERE id >= ?1", list(tidemark.Text(x.letter()), x.maybe(n(3)), x.maybe(tidemark.Text(x.letter())))
	case 14:
		return "INSERT OR IGNORE INTO xpol (id, count, labels, prefs, body, tally) VALUES (?1, ?2, ?3, ?4, ?5, 0)",
			list(tidemark.Text(x.letter()+x.letter()), n(9), tidemark.Text(x.labels()), tidemark.Text(x.prefs()), tidemark.Text(x.words()))
	case 15:
		return "DELETE FROM xpol WHERE id = ?1 AND length(id) = 2 AND count % 3 = 0", list(id("xpol"))
	case 16:
		return "INSERT OR REPLACE INTO xkeep VALUES (?1, ?2, ?3)", list(n(6), v(), tidemark.Text(x.letter()))
	case 17:
		return []string{"DELETE FROM xkeep WHERE id = ?1", "UPDATE xkeep SET b = b || 'u' WHERE id = ?1"}[x.r.IntN(2)], list(id("xkeep"))
	case 18:
		return "INSERT OR REPLACE INTO xchild VALUES (?1, ?2, ?3, ?4)", list(tidemark.Text(x.letter()), id("xpol"), x.maybe(id("xdoc")), v())
	case 19:
		return "UPDATE OR IGNORE xpol SET id = id || ?2 WHERE id = ?1", list(id("xpol"), tidemark.Text(x.letter()))
	case 20: // many rows
		return "INSERT OR IGNORE INTO xkeep WITH n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) SELECT i, i % 7, 'many' FROM n", list(n(400))
	case 21:
		return "UPDATE xkeep SET a = ?1 WHERE id % 50 = ?2", list(v(), n(50))
	case 22:
		return "UPDATE xdoc SET body = ?2 WHERE id = ?1", list(id("xdoc"), tidemark.Text(x.long()))
	case 24:
		return "INSERT INTO xnote VALUES (?1, ?2)", list(id("xdoc"), v())
	case 23: // constraints that hold here and not there
		return "UPDATE OR IGNORE xpol SET tally = ?2 WHERE id = ?1", list(id("xpol"), tidemark.Int(x.r.Int64N(101)-50))
	}
	var places []int
	for range 1 + x.r.IntN(3) {
		places = append(places, x.pick(len(policySets), x.sets))
	}
	return x.policy(id("xpol"), places)
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

// long makes a text of many lines, so that a difference is looked for line by
// line. Some have most in common with others, some so little that the search
// ends at its bound.
func (x *extras) long() string {
	if x.r.IntN(2) == 0 {
		return x.mostlyAlike()
	}
	lines := make([]string, 20+x.r.IntN(400))
	for i := range lines {
		lines[i] = []string{"first line", "second é", "𝄞 third", "", "word " + x.letter(), x.words()}[x.r.IntN(6)]
	}
	return strings.Join(lines, "\n")
}

func (x *extras) mostlyAlike() string {
	lines := make([]string, 300)
	for i := range lines {
		lines[i] = fmt.Sprintf("%d %s", i, []string{"first line", "second é", "𝄞 third", "", "the quick brown fox"}[i%5])
	}
	for range x.r.IntN(6) {
		lines[x.r.IntN(len(lines))] = x.words()
	}
	return strings.Join(lines[x.r.IntN(3):], "\n")
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

func (x *extras) maybe(v tidemark.Value) tidemark.Value {
	if x.r.IntN(5) == 0 {
		return tidemark.Null
	}
	return v
}

func (x *extras) letter() string { return string([]rune("abcdeABCDEäß")[x.r.IntN(12)]) }

// awkward are values on which two languages may well differ.
var awkward = []tidemark.Value{
	tidemark.Null, tidemark.Int(0), tidemark.Int(-1), tidemark.Int(math.MaxInt64), tidemark.Int(math.MinInt64), tidemark.Int(1<<53 + 1),
	tidemark.Real(0), tidemark.Real(math.Copysign(0, -1)), tidemark.Real(math.Inf(1)), tidemark.Real(math.Inf(-1)), tidemark.Real(5e-324),
	tidemark.Real(1e21), tidemark.Real(123456789.125), tidemark.Real(1e15), tidemark.Real(0.1), tidemark.Real(-2.5e-7), tidemark.Real(1 << 53),
	tidemark.Text(""), tidemark.Text("a\x00b"), tidemark.Text("\xff\xfe"), tidemark.Text("\xed\xa0\x80"), tidemark.Text("\ufeffbom"), tidemark.Text("𝄞é\u0301"),
	tidemark.Text("12"), tidemark.Text(" 12.50 "), tidemark.Text("\u2028\"\\/<>&\x7f\x01"), tidemark.Text("[1,1.0,\"1\"]"), tidemark.Text(`{"a":1,"a":2}`),
	tidemark.Text(`{"a":{"b":[1e2,-0,0.10]},"\u00e9":null}`), tidemark.Text(`["x", "x" ,1e400]`), tidemark.Text(`[`), tidemark.Text(`{"b":"\ud800"}`),
	tidemark.Blob(nil), tidemark.Blob([]byte{0, 255}), tidemark.Blob([]byte("[1]")),
}

func (x *extras) value() tidemark.Value {
	if x.r.IntN(2) == 0 {
		return tidemark.Int(x.r.Int64N(20))
	}
	return awkward[x.r.IntN(len(awkward))]
}

// words makes a text of several lines, from a small stock, so that edits meet.
func (x *extras) words() string {
	stock := []string{"alpha", "beta", "gamma", " ", " ", "\n", "\r\n", "𝄞", "é", "e\u0301", "x", "the quick brown fox", "ß", "\t",
		"漢字かな", "ไทยภาษา", "слово", "👩\u200d👧", "a\u0323\u0308", "_id7", "\u00a0"}
	var b strings.Builder
	for range x.r.IntN(14) {
		b.WriteString(stock[x.r.IntN(len(stock))])
	}
	return b.String()
}

// tokens are JSON in many spellings, some of which mean the same.
var tokens = []string{`1`, `1.0`, `1e0`, `10E-1`, `-0`, `0`, `0.10`, `12345678901234567890`, `1e400`, `"a"`, `"\u0061"`, `"b"`, `"é"`, `"\u00e9"`, `"1"`,
	`true`, `false`, `null`, `[1,2]`, `[ 1 , 2 ]`, `[2,1]`, `[]`, `{"k":1,"j":2}`, `{"j":2,"k":1}`, `{"j": 2.0, "k":1 }`, `{}`, `"\ud834\udd1e"`, `"𝄞"`}

func (x *extras) token() string { return tokens[x.r.IntN(len(tokens))] }

// space is what may stand between tokens.
func (x *extras) space() string {
	return []string{"", "", "", " ", "\n  ", "\t"}[x.r.IntN(6)]
}

func (x *extras) labels() string {
	var list []string
	for range x.r.IntN(5) {
		list = append(list, x.space()+x.token()+x.space())
	}
	return "[" + strings.Join(list, ",") + "]"
}

func (x *extras) prefs() string { return x.object(0) }

func (x *extras) object(depth int) string {
	var list []string
	for range x.r.IntN(4) {
		key := []string{`"a"`, `"\u0061"`, `"b"`, `"c"`, `"ä"`, `""`}[x.r.IntN(6)]
		value := x.token()
		if depth < 3 && x.r.IntN(3) == 0 {
			value = x.object(depth + 1)
		}
		list = append(list, x.space()+key+x.space()+":"+x.space()+value)
	}
	return "{" + strings.Join(list, ",") + x.space() + "}"
}
