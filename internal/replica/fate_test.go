package replica

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

func TestReidentify(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	welcome := &wire.Welcome{Space: "s", Incarnation: "inc", Replica: "r1", Ticket: "t1", DigestKey: o.key}
	d.welcome(welcome, 1)
	for _, name := range []string{"a", "b", "c"} {
		d.commit("UPDATE person SET name = '" + name + "' WHERE id = 1")
	}
	d.settle(d.acceptance(1, 0))
	h, err := d.r.Hello()
	must(t, err)
	if h.Replica != "r1" || h.Ticket != "t1" || h.Settled != 1 {
		t.Fatalf("%+v", h)
	}
	hash := d.hash(2)
	must(t, d.r.Reidentify())
	must(t, d.r.Reidentify()) // no name in between
	welcome.Replica = "r2"
	d.welcome(welcome, 1)
	must(t, d.r.Reidentify()) // the first names stay
	renamed := *welcome
	renamed.Replica, renamed.Ticket = "r2", "t2"
	d.welcome(&renamed, 2)
	must(t, d.r.Reidentify()) // a copy of the copy: the first name stays
	h, err = d.r.Hello()
	must(t, err)
	if h.Replica != "" || h.Ticket != "" || h.Settled != 0 {
		t.Fatalf("%+v", h)
	}
	list, err := d.r.Unsent(0, 1<<20)
	must(t, err)
	if len(list) != 2 || list[0].N != 1 || list[1].N != 2 {
		t.Fatalf("%+v", list)
	}
	if was := list[0].Was; was == nil || *was != (tidemark.Name{Replica: "r1", N: 2, Hash: hash}) {
		t.Fatalf("%+v", was)
	}
	d.commit("UPDATE person SET name = 'd' WHERE id = 1")
	if got := sortedNs(d.pending()); len(got) != 3 || got[2] != 3 {
		t.Fatalf("%v", got)
	}
	d.settle(d.rejection(2, 0, tidemark.CodeForbidden))
	d.want("SELECT name FROM person WHERE id = 1", "['d']")
	d.checkBase(o.rows)
}

func TestWelcomeOfAnotherServer(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	for code, w := range map[tidemark.Code]*wire.Welcome{
		tidemark.CodeWrongSpace:  {Space: "other", Incarnation: "inc", DigestKey: o.key},
		tidemark.CodeIncarnation: {Space: "s", Incarnation: "new", DigestKey: o.key},
	} {
		if _, err := d.r.Welcome(w, 1); tidemark.CodeOf(err) != code {
			t.Errorf("%v, not %s", err, code)
		}
	}
	must(t, d.r.Stop(tidemark.CodeIncarnation))
	if st := d.status(); st.Stopped != "incarnation" {
		t.Fatalf("%+v", st)
	}
	d.welcome(&wire.Welcome{Space: "s", Incarnation: "inc", DigestKey: o.key, Term: "t2", Head: 4, Resync: true}, 1)
	if st := d.status(); st.Stopped != "" || st.Seq != 4 || st.Repair == "" {
		t.Fatalf("%+v", st)
	}
}

func TestUnsentKeepsToTheBudget(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	for range 5 {
		d.commit("UPDATE person SET name = name || '" + strings.Repeat("x", 200) + "' WHERE id = 1")
	}
	list, err := d.r.Unsent(0, 1)
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("%d pushes for 1 byte", len(list))
	}
	list, err = d.r.Unsent(1, 3*len(list[0].Body)+1500)
	must(t, err)
	if len(list) != 3 || list[0].N != 2 {
		t.Fatalf("%d pushes", len(list))
	}
}

func TestDetachRestoresTheFile(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	dump := func() string {
		var b strings.Builder
		must(t, d.app.Each("SELECT type, name, sql FROM main.sqlite_master ORDER BY name", func(s *lite.Stmt) error {
			b.WriteString(s.Text(0) + " " + s.Text(1) + " " + s.Text(2) + "\n")
			return nil
		}))
		return b.String()
	}
	plain, err := lite.Open(o.path, lite.Options{})
	must(t, err)
	var want strings.Builder
	must(t, plain.Each("SELECT type, name, sql FROM main.sqlite_master ORDER BY name", func(s *lite.Stmt) error {
		want.WriteString(s.Text(0) + " " + s.Text(1) + " " + s.Text(2) + "\n")
		return nil
	}))
	must(t, plain.Close())
	d.write("UPDATE person SET name = 'x' WHERE id = 1")
	for range 2 { // unsealed, then pending
		if err := Detach(d.path, false); tidemark.CodeOf(err) != tidemark.CodePending {
			t.Fatalf("%v", err)
		}
		d.seal()
	}
	d.settle(d.rejection(1, 0, tidemark.CodeForbidden))
	if err := Detach(d.path, false); tidemark.CodeOf(err) != tidemark.CodePending {
		t.Fatalf("%v", err)
	}
	must(t, d.r.Discard(d.rejected()[0].ID))
	must(t, d.r.Close())
	must(t, d.app.Close())
	must(t, Detach(d.path, false))
	d.app, err = lite.Open(d.path, lite.Options{})
	must(t, err)
	if got := dump(); got != want.String() {
		t.Fatalf("after detach:\n%s\nbefore:\n%s", got, want.String())
	}
	if mode, _ := d.app.Text("PRAGMA journal_mode"); mode != "delete" {
		t.Fatalf("journal mode %s", mode)
	}
	if _, err := Open(d.path, Options{}); tidemark.CodeOf(err) != tidemark.CodeNotAdopted {
		t.Fatalf("%v", err)
	}
	compareRows(t, o.schema, readRows(t, d.app, o.schema), o.rows)
	d.r = &Replica{db: d.app}
}

func TestRepairSavesWhatItCannotExplain(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.commit("UPDATE person SET mail = 'mine' WHERE id = 1")
	quiet, err := lite.Open(d.path, lite.Options{})
	must(t, err)
	must(t, quiet.SetTriggers(false))
	must(t, quiet.Script("UPDATE person SET name = 'forged' WHERE id = 2; DELETE FROM person WHERE id = 3; INSERT INTO person VALUES (77, 'ghost', 'g@x')"))
	must(t, quiet.Close())

	person := o.schema.Named("person").ID
	list, err := d.r.ConfirmedRanges(person, nil, nil, [][]tidemark.Value{{tidemark.Int(1)}, {tidemark.Int(2)}})
	must(t, err)
	theirs := []uint64{0, 0, 0}
	for id, image := range o.rows {
		if id.t == person {
			theirs[min(int(image[0].Int64()), 3)-1] += d.r.hasher.Row(o.schema.Named("person"), image)
		}
	}
	if list[0].Sum != theirs[0] || list[1].Sum == theirs[1] || list[2].Sum == theirs[2] {
		t.Fatalf("%+v %v", list, theirs)
	}
	var rows [][]tidemark.Value
	for _, id := range inOrder(o.rows) {
		if id.t == person {
			rows = append(rows, o.rows[id])
		}
	}
	n, err := d.r.Repair(person, nil, nil, rows, tidemark.CodeUncaptured, 5)
	must(t, err)
	if n != 3 {
		t.Fatalf("%d rows differed", n)
	}
	must(t, d.r.Prove(6))
	d.want("SELECT name, mail FROM person WHERE id = 1", "['Ann' 'mine']")
	d.want("SELECT name FROM person WHERE id = 2", "['Bob']")
	rej := d.rejected()
	if len(rej) != 1 || rej[0].Code != tidemark.CodeUncaptured || len(rej[0].Changes) != 3 {
		t.Fatalf("%+v", rej)
	}
	d.applyWell(o.do("UPDATE person SET name = 'x' WHERE id = 3"))

	// The difference can be asked for after all.
	if n, err := d.r.Retry(rej[0].ID, true, 7); err != nil || n != 3 {
		t.Fatalf("%d %v", n, err)
	}
	d.want("SELECT name FROM person WHERE id = 77", "['ghost']")
	d.checkBase(o.rows)
}

// To bring back what a restored server lost must not delete what is new there.
func TestRecoveredRowsStandApartFromNewOnes(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	person := o.schema.Named("person").ID
	theirs := [][]tidemark.Value{
		{tidemark.Int(1), tidemark.Text("older"), tidemark.Text("a@x")},
		{tidemark.Int(50), tidemark.Text("new"), tidemark.Null},
		{tidemark.Int(3), tidemark.Text("Cy"), tidemark.Null},
	}
	n, err := d.r.Repair(person, nil, nil, theirs, tidemark.CodeRecovered, 5)
	must(t, err)
	rej := d.rejected()
	if n != 3 || len(rej) != 2 || len(rej[0].Changes) != 2 || len(rej[1].Changes) != 1 || rej[1].Changes[0].Op != tidemark.Delete {
		t.Fatalf("%d: %+v", n, rej)
	}
	if _, err := d.r.Retry(rej[0].ID, false, 7); err != nil {
		t.Fatal(err)
	}
	d.want("SELECT group_concat(name) FROM (SELECT name FROM person ORDER BY id)", "['Ann,Bob,Cy,new']")
}

func TestStaleSumsAloneNeedNoRepair(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	quiet, err := lite.Open(d.path, lite.Options{})
	must(t, err)
	must(t, quiet.SetTriggers(false))
	must(t, quiet.Script("UPDATE person SET name = 'forged' WHERE id = 2"))
	must(t, quiet.Close())
	if a := d.apply(o.do("UPDATE person SET name = 'B' WHERE id = 1")); a.Repair != "" {
		t.Fatal("incremental sums saw what capture did not")
	}
	d.applyWell(o.do("UPDATE person SET name = 'C' WHERE id = 2"))
	if !d.status().Proven {
		t.Fatal("not proven")
	}
	compareRows(t, o.schema, d.rows(), o.rows)
}

func TestWrongSumAsksForRepair(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	b := o.do("UPDATE person SET name = 'B' WHERE id = 1")
	b.Sum++
	if a := d.apply(b); a.Repair == "" || d.status().Repair == "" || d.status().Proven {
		t.Fatalf("%+v", a)
	}
	d.applyWell(o.do("UPDATE person SET name = 'C' WHERE id = 1"))
	if st := d.status(); !st.Proven || st.Repair != "" {
		t.Fatalf("%+v", st)
	}
}

func TestRetryApart(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.commit(`INSERT INTO person VALUES (20, 'P', 'p@x'); INSERT INTO pet VALUES (21, 20, 'Q');
		INSERT INTO person VALUES (30, 'R', 'clash@x'); UPDATE person SET name = 'solo' WHERE id = 2`)
	d.settle(d.rejection(1, 0, tidemark.CodeUnique))
	d.applyWell(o.do("UPDATE person SET mail = 'clash@x' WHERE id = 3"))
	id := d.rejected()[0].ID
	if _, err := d.r.Retry(id, false, 3); tidemark.CodeOf(err) != tidemark.CodeUnique {
		t.Fatalf("%v", err)
	}
	n, err := d.r.Retry(id, true, 3)
	if err != nil || n != 2 {
		t.Fatalf("%d %v", n, err)
	}
	rej := d.rejected()
	if len(rej) != 1 || len(rej[0].Changes) != 1 || rej[0].Changes[0].Key[0] != tidemark.Int(30) {
		t.Fatalf("%+v", rej)
	}
	d.want("SELECT owner FROM pet WHERE id = 21", "[20]")
	d.want("SELECT name FROM person WHERE id = 2", "['solo']")
	if len(d.pending()) != 2 {
		t.Fatalf("%+v", d.pending())
	}
	d.checkBase(o.rows)
}

func TestExportNamesEverything(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	d.commit("UPDATE person SET name = x'00ff' WHERE id = 2")
	d.settle(d.rejection(1, 0, tidemark.CodeForbidden))
	out, err := d.r.Export(d.rejected()[0].ID)
	must(t, err)
	var doc struct {
		Code    string
		Changes []ChangeView
	}
	must(t, json.Unmarshal(out, &doc))
	c := doc.Changes[0]
	if doc.Code != "forbidden" || c.Table != "person" || c.Op != "update" || c.Key["id"] != 2.0 ||
		c.Set["name"].(map[string]any)["blob"] != "00ff" {
		t.Fatalf("%s", out)
	}
	if _, err := d.r.Export(99); tidemark.CodeOf(err) != tidemark.CodeNotFound {
		t.Fatalf("%v", err)
	}
}

func TestOpenRefusesOtherFiles(t *testing.T) {
	dir := t.TempDir()
	text := dir + "/text.db"
	must(t, os.WriteFile(text, []byte(strings.Repeat("this is no database ", 100)), 0o600))
	plain := dir + "/plain.db"
	db, err := lite.Open(plain, lite.Options{Create: true})
	must(t, err)
	must(t, db.Script("CREATE TABLE t (x)"))
	must(t, db.Close())
	served := dir + "/served.db"
	db, err = lite.Open(served, lite.Options{Create: true})
	must(t, err)
	must(t, meta.Create(db, meta.RoleServer))
	must(t, db.Close())
	newer := dir + "/newer.db"
	db, err = lite.Open(newer, lite.Options{Create: true})
	must(t, err)
	must(t, meta.Create(db, meta.RoleReplica))
	must(t, meta.SetInt(db, meta.KeyFormat, 99))
	must(t, db.Close())
	for path, code := range map[string]tidemark.Code{
		text: tidemark.CodeNotSQLite, plain: tidemark.CodeNotAdopted, served: tidemark.CodeWrongRole,
		newer: tidemark.CodeNewerFormat, dir + "/none.db": tidemark.CodeNotSQLite,
	} {
		_, err := Open(path, Options{})
		if tidemark.CodeOf(err) != code || tidemark.HintOf(err) == "" {
			t.Errorf("%s: %v (%s)", path, err, tidemark.HintOf(err))
		}
	}
}

func TestCreateRefusesAWrongSum(t *testing.T) {
	o := newOrigin(t, people)
	st := o.state()
	st.Sum++
	path := o.copyFile()
	err := Create(path, CreateOptions{State: st, Schema: o.schema})
	if tidemark.CodeOf(err) != tidemark.CodeCorrupt {
		t.Fatalf("%v", err)
	}
	if _, err := Open(path, Options{}); tidemark.CodeOf(err) != tidemark.CodeNotAdopted {
		t.Fatalf("%v", err)
	}
}

func TestReadOnlyCopy(t *testing.T) {
	o := newOrigin(t, people)
	path := o.copyFile()
	must(t, Create(path, CreateOptions{State: o.state(), Schema: o.schema, ReadOnly: true}))
	d := &device{t: t, path: path}
	d.open()
	defer d.r.Close()
	defer d.app.Close()
	if err := d.app.Script("UPDATE person SET name = 'x'"); lite.Violation(err) == nil {
		t.Fatalf("%v", err)
	}
	d.applyWell(o.do("UPDATE person SET name = 'B' WHERE id = 1"))
	compareRows(t, o.schema, d.rows(), o.rows)
	if h, err := d.r.Hello(); err != nil || !h.ReadOnly {
		t.Fatalf("%+v %v", h, err)
	}
}
