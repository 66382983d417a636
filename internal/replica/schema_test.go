package replica

import (
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	structure "github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// migrate runs DDL and rows on the origin and gives the replica the schema.
func (o *origin) migrate(d *device, sql string) *wire.Batch {
	o.t.Helper()
	must(o.t, o.db.Script(sql))
	o.inspect()
	saveSchema(o.t, d.r, &wire.Schema{Hash: o.schema.Hash, Body: structure.Encode(o.schema)})
	return o.commit()
}

func TestSchemaMovesUnderPending(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.commit("INSERT INTO person VALUES (40, 'Dot', 'd@x')")
	d.commit("UPDATE person SET name = 'Ann!' WHERE id = 1")
	b := o.migrate(d, `
		ALTER TABLE person ADD COLUMN age INTEGER NOT NULL DEFAULT 7;
		ALTER TABLE person ADD COLUMN note TEXT;
		CREATE TABLE thing (id TEXT PRIMARY KEY NOT NULL, owner INTEGER REFERENCES person(id));
		CREATE INDEX pet_name ON pet(name);
		CREATE VIEW grown AS SELECT * FROM person WHERE age > 17;
		INSERT INTO thing VALUES ('t', 2);
		UPDATE person SET age = 30, name = 'B' WHERE id = 2;`)
	a := d.applyWell(b)
	if !a.Schema || len(a.Skipped) > 0 {
		t.Fatalf("%+v", a)
	}
	d.want("SELECT name, age, note FROM person WHERE id = 40", "['Dot' 7 NULL]")
	d.want("SELECT name, age FROM person WHERE id = 1", "['Ann!' 7]")
	d.want("SELECT count(*) FROM grown", "[1]")
	d.checkBase(o.rows)
	if st := d.status(); !st.Proven || len(st.Out) > 0 {
		t.Fatalf("%+v", st)
	}
	d.crash()

	// Capture knows the new column and the new table.
	d.commit("UPDATE person SET age = 8 WHERE id = 3; INSERT INTO thing VALUES ('u', 40)")
	if got := d.pending()[2]; len(got.Changes) != 2 {
		t.Fatalf("%+v", got)
	}
	for _, p := range d.pending() {
		out, b := o.judge(p.N, d.hash(p.N), p.Changes)
		d.applyWell(b, out)
	}
	compareRows(t, o.schema, d.rows(), o.rows)
}

func TestSchemaAfterResync(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.commit("UPDATE person SET name = 'mine' WHERE id = 1")
	d.welcome(&wire.Welcome{Space: "s", Incarnation: "inc", DigestKey: o.key, Term: "t2", Head: 1, Resync: true}, 1)
	o.migrate(d, "ALTER TABLE person ADD COLUMN age DEFAULT 3")
	d.want("SELECT name, age FROM person WHERE id = 1", "['mine' 3]")
	d.checkBase(o.rows)
	must(t, d.r.Prove(2))
	d.applyWell(o.do("UPDATE person SET age = 4 WHERE id = 1"))
	d.want("SELECT name, age FROM person WHERE id = 1", "['mine' 4]")
}

func TestUnknownSchemaIsAnError(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	b := o.do("UPDATE person SET name = 'q' WHERE id = 1")
	b.Schema = "0123456789abcdef"
	_, err := d.r.Apply(b, nil, 1)
	if tidemark.CodeOf(err) != tidemark.CodeSchema {
		t.Fatalf("%v", err)
	}
	b.Schema = o.schema.Hash
	d.applyWell(b)
}

func TestTableChangedBeyondColumnsLeavesSync(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.commit("UPDATE pet SET name = 'mine' WHERE id = 10")
	d.commit("UPDATE person SET name = 'mine' WHERE id = 1")
	before := *o.schema.Named("pet")
	must(t, o.db.Script("ALTER TABLE pet RENAME COLUMN name TO title; UPDATE person SET name = 'B' WHERE id = 2"))
	o.inspect()
	o.schema.Named("pet").Out = "changed"
	for i, table := range o.schema.Tables {
		if table.Name == "pet" {
			old := before
			old.Out = "changed"
			o.schema.Tables[i] = &old
		}
	}
	o.schema.Hash = "feedfeedfeedfeed"
	for id := range o.rows {
		if id.t == before.ID {
			delete(o.rows, id)
		}
	}
	saveSchema(t, d.r, &wire.Schema{Hash: o.schema.Hash, Body: structure.Encode(o.schema)})
	b := o.commit()
	d.applyWell(b)
	if st := d.status(); st.Out["pet"] != "changed" || !st.Proven {
		t.Fatalf("%+v", st)
	}
	d.want("SELECT name FROM pet WHERE id = 10", "['mine']")
	d.want("SELECT name FROM person WHERE id = 1", "['mine']")
	d.want("SELECT name FROM person WHERE id = 2", "['B']")
	if len(d.pending()) != 2 {
		t.Fatal("pending did not survive")
	}
	d.settle(d.rejection(1, 1, tidemark.CodeSchema))
	d.want("SELECT name FROM pet WHERE id = 10", "['mine']")
}

func TestLocalDDLTakesOnlyThatTableOut(t *testing.T) {
	for name, ddl := range map[string]string{
		"column":  "ALTER TABLE pet ADD COLUMN fur TEXT",
		"drop":    "DROP TABLE pet",
		"rename":  "ALTER TABLE pet RENAME TO animal",
		"unique":  "CREATE UNIQUE INDEX one_name ON pet(name)",
		"renamed": "ALTER TABLE pet RENAME COLUMN name TO title",
	} {
		t.Run(name, func(t *testing.T) {
			o := newOrigin(t, people)
			d := o.clone()
			d.write("UPDATE person SET name = 'before' WHERE id = 1")
			must(t, d.app.Script(ddl))
			d.write("UPDATE person SET mail = 'after' WHERE id = 1")
			d.applyWell(o.do("UPDATE person SET name = 'B' WHERE id = 2; UPDATE pet SET name = 'theirs' WHERE id = 10"))
			if st := d.status(); len(st.Out) != 1 || st.Out["pet"] == "" || st.Proven || st.Repair != "" {
				t.Fatalf("%+v", st)
			}
			d.want("SELECT name, mail FROM person WHERE id = 1", "['before' 'after']")
			d.want("SELECT name FROM person WHERE id = 2", "['B']")
			d.crash()
			if st := d.status(); st.Out["pet"] == "" {
				t.Fatalf("%+v", st)
			}
		})
	}
}

func TestLocalExtrasStayLocal(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	must(t, d.app.Script("CREATE TABLE scratch (x PRIMARY KEY); CREATE INDEX by_name ON person(name); INSERT INTO scratch VALUES (1)"))
	d.applyWell(o.do("UPDATE person SET name = 'B' WHERE id = 2"))
	if st := d.status(); len(st.Out) != 0 || st.Pending != 0 || !st.Proven {
		t.Fatalf("%+v", st)
	}
	d.commit("UPDATE person SET name = 'C' WHERE id = 2")
}

func TestLostCaptureAsksForRepair(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	var triggers []string
	must(t, d.app.Each("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'person'", func(s *lite.Stmt) error {
		triggers = append(triggers, s.Text(0))
		return nil
	}))
	for _, name := range triggers {
		must(t, d.app.Script("DROP TRIGGER "+lite.Quote(name)))
	}
	d.write("UPDATE person SET name = 'unseen' WHERE id = 1")
	if d.seal() != 0 || d.status().Repair == "" {
		t.Fatalf("%+v", d.status())
	}
	d.commit("UPDATE person SET name = 'seen' WHERE id = 2")
}

const searchable = `
CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT, seen TEXT);
CREATE VIRTUAL TABLE doc_text USING fts5(body, content='doc', content_rowid='id');
CREATE TRIGGER doc_ai AFTER INSERT ON doc BEGIN INSERT INTO doc_text(rowid, body) VALUES (new.id, new.body); END;
CREATE TRIGGER "doc ad" AFTER DELETE ON doc BEGIN INSERT INTO doc_text(doc_text, rowid, body) VALUES ('delete', old.id, old.body); END;
CREATE TRIGGER [doc_au] AFTER UPDATE ON doc BEGIN
  INSERT INTO doc_text(doc_text, rowid, body) VALUES ('delete', old.id, old.body);
  INSERT INTO doc_text(rowid, body) VALUES (new.id, new.body);
END;
CREATE TRIGGER stamp AFTER UPDATE OF body ON doc BEGIN UPDATE doc SET seen = 'stamped' WHERE id = new.id; END;
INSERT INTO doc VALUES (1, 'old words', NULL);
`

func TestFullTextFollowsWhatIsApplied(t *testing.T) {
	o := newOrigin(t, searchable)
	d := o.clone()
	if len(d.r.Skipped()) > 0 {
		t.Fatal(d.r.Skipped())
	}
	d.commit("INSERT INTO doc VALUES (2, 'local words', 'x')")
	must(t, o.db.SetTriggers(false))
	d.applyWell(o.do("UPDATE doc SET body = 'new text' WHERE id = 1; INSERT INTO doc VALUES (3, 'third text', NULL)"))
	d.want("SELECT group_concat(rowid) FROM doc_text WHERE doc_text MATCH 'text'", "['1,3']")
	d.want("SELECT group_concat(rowid) FROM doc_text WHERE doc_text MATCH 'words'", "['2']")
	d.want("SELECT seen FROM doc WHERE id = 1", "[NULL]")
	d.settle(d.rejection(1, 1, tidemark.CodeForbidden))
	d.want("SELECT group_concat(rowid) FROM doc_text WHERE doc_text MATCH 'words'", "[NULL]")
	must(t, d.app.Script("INSERT INTO doc_text(doc_text) VALUES ('integrity-check')"))
}

// Rows that come with a new schema meet neither an index that it dropped, nor
// a full-text index that looks away.
func TestRowsThatComeWithASchema(t *testing.T) {
	o := newOrigin(t, searchable+"CREATE UNIQUE INDEX one_body ON doc(body);")
	d := o.clone()
	must(t, o.db.SetTriggers(false))
	must(t, o.db.Script(`DROP INDEX one_body; ALTER TABLE doc ADD COLUMN more TEXT;
		INSERT INTO doc (id, body) VALUES (4, 'same text'), (5, 'same text')`))
	o.inspect()
	saveSchema(t, d.r, &wire.Schema{Hash: o.schema.Hash, Body: structure.Encode(o.schema)})
	d.applyWell(o.commit())
	compareRows(t, o.schema, d.rows(), o.rows)
	d.want("SELECT group_concat(rowid) FROM doc_text WHERE doc_text MATCH 'same'", "['4,5']")
	d.want("SELECT count(*) FROM sqlite_master WHERE name = 'one_body'", "[0]")
}

func TestFullTextThatComesLaterKnowsAllRows(t *testing.T) {
	o := newOrigin(t, "CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO doc VALUES (1, 'old text')")
	d := o.clone()
	d.applyWell(o.migrate(d, `CREATE VIRTUAL TABLE ft USING fts5(body, content=doc, content_rowid=id);
		CREATE TRIGGER fu AFTER UPDATE ON doc BEGIN
			INSERT INTO ft(ft, rowid, body) VALUES ('delete', OLD.id, OLD.body);
			INSERT INTO ft(rowid, body) VALUES (NEW.id, NEW.body);
		END;
		INSERT INTO doc VALUES (2, 'late text'); INSERT INTO ft(ft) VALUES ('rebuild')`))
	d.want("SELECT group_concat(rowid) FROM ft WHERE ft MATCH 'text'", "['1,2']")
	d.applyWell(o.do("UPDATE doc SET body = 'changed' WHERE id = 1"))
	d.want("SELECT group_concat(rowid) FROM ft WHERE ft MATCH 'text'", "['2']")
	d.want("SELECT group_concat(rowid) FROM ft WHERE ft MATCH 'changed'", "['1']")
}

func TestTriggerThatFailsIsLeftOut(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	must(t, d.app.Script(`CREATE TABLE tags (name TEXT UNIQUE);
		CREATE TRIGGER tagging AFTER UPDATE ON person BEGIN INSERT INTO tags VALUES ('once'); END;`))
	d.applyWell(o.do("UPDATE person SET name = 'A' WHERE id = 1"))
	d.applyWell(o.do("UPDATE person SET name = 'B' WHERE id = 1"))
	compareRows(t, o.schema, d.rows(), o.rows)
	if left := strings.Join(d.r.Skipped(), ""); !strings.Contains(left, "trigger") {
		t.Fatalf("%q", left)
	}
}

// An index without a trigger for updates holds ids that it should not hold any
// more, and an R-tree refuses them without naming a reason of SQLite's.
const mapped = searchable + `
CREATE TABLE shape (id INTEGER PRIMARY KEY, x REAL);
CREATE VIRTUAL TABLE area USING rtree(id, x0, x1);
CREATE TRIGGER shape_ai AFTER INSERT ON shape BEGIN INSERT INTO area VALUES (new.id, new.x, new.x + 1); END;
`

func TestRefusingVirtualTableMutesOnlyItsTriggers(t *testing.T) {
	o := newOrigin(t, mapped)
	d := o.clone()
	must(t, o.db.SetTriggers(false))
	d.applyWell(o.do("INSERT INTO shape VALUES (7, 1.0)"))
	d.applyWell(o.do("UPDATE shape SET id = 8 WHERE id = 7"))
	d.applyWell(o.do("INSERT INTO shape VALUES (7, 5.0)"))
	compareRows(t, o.schema, d.rows(), o.rows)
	if left := strings.Join(d.r.Skipped(), ""); !strings.Contains(left, "trigger shape_ai: ") || strings.Contains(left, "doc") {
		t.Fatalf("%q", left)
	}
	d.applyWell(o.do("INSERT INTO doc VALUES (3, 'third text', NULL)"))
	d.want("SELECT group_concat(rowid) FROM doc_text WHERE doc_text MATCH 'text'", "['3']")
}

func TestMirrorSQL(t *testing.T) {
	for _, c := range [][2]string{
		{`CREATE TRIGGER a AFTER INSERT ON t BEGIN SELECT 1; END`, ` AFTER INSERT ON t BEGIN SELECT 1; END`},
		{`CREATE TRIGGER "a ""b" AFTER INSERT ON t`, ` AFTER INSERT ON t`},
		{"create trigger\n[a ]b]\tBEFORE x", "b]\tBEFORE x"},
		{"CREATE TRIGGER `x``y`/*c*/AFTER", "/*c*/AFTER"},
		{"CREATE TRIGGER 'x''y'AFTER", "AFTER"},
		{"CREATE TRIGGER é--c\nAFTER", "--c\nAFTER"},
	} {
		if got := mirrorSQL("m", c[0]); !strings.HasPrefix(got, `CREATE TEMP TRIGGER "m" `) || !strings.HasSuffix(got, c[1]) {
			t.Errorf("%q became %q", c[0], got)
		}
	}
}
