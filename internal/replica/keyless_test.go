package replica

import (
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

const named = `
CREATE TABLE named (name TEXT PRIMARY KEY, v);
INSERT INTO named VALUES ('a', 1), ('b', 2);
`

func TestRowWithoutKeyIsKeptAside(t *testing.T) {
	o := newOrigin(t, named)
	d := o.clone()
	d.commit("INSERT INTO named VALUES (NULL, 5); UPDATE named SET v = 9 WHERE name = 'a'")
	d.want("SELECT count(*), sum(v) FROM named", "[2 11]")
	rej := d.rejected()
	if len(rej) != 1 || rej[0].Code != tidemark.CodeNotNull || len(rej[0].Changes) != 1 {
		t.Fatalf("%+v", rej)
	}
	if list := d.pending(); len(list) != 1 || len(list[0].Changes) != 1 {
		t.Fatalf("%+v", list)
	}
	if _, err := d.r.Retry(rej[0].ID, false, 9); tidemark.CodeOf(err) != tidemark.CodeNotNull {
		t.Fatalf("retry: %v", err)
	}
	out, b := o.judge(1, d.hash(1), d.pending()[0].Changes)
	d.applyWell(b, out)
	compareRows(t, o.schema, d.rows(), o.rows)
}

func TestRowWithoutKeyDoesNotTakeItsTableOut(t *testing.T) {
	o := newOrigin(t, named)
	d := o.clone()
	d.write("INSERT INTO named VALUES (NULL, 5), ('c', 3)")
	must(t, d.app.Script("CREATE TABLE own (id INTEGER PRIMARY KEY)"))
	d.applyWell(o.do("UPDATE named SET v = 7 WHERE name = 'b'"))
	if st := d.status(); len(st.Out) != 0 || !st.Proven || st.Rejected != 1 || st.Pending != 1 {
		t.Fatalf("%+v", st)
	}
	d.want("SELECT group_concat(name || v) FROM named", "['a1,b7,c3']")
}

func TestComparingExpelsRowsWithoutKey(t *testing.T) {
	o := newOrigin(t, named)
	d := o.clone()
	quiet, err := lite.Open(d.path, lite.Options{})
	must(t, err)
	must(t, quiet.SetTriggers(false))
	must(t, quiet.Script("INSERT INTO named VALUES (NULL, 5), (NULL, 6)"))
	must(t, quiet.Close())
	table := o.schema.Named("named")
	list, err := d.r.ConfirmedRanges(table.ID, nil, nil, nil)
	must(t, err)
	if list[0].Count != 2 || list[0].Sum != o.sum() {
		t.Fatalf("%+v, not %d", list, o.sum())
	}
	if rej := d.rejected(); len(rej) != 1 || len(rej[0].Changes) != 2 {
		t.Fatalf("%+v", rej)
	}
}

// A row that was adopted although it breaks a CHECK is put back all the same.
func TestConfirmedRowMayBreakACheck(t *testing.T) {
	o := newOrigin(t, `
		CREATE TABLE c (id INTEGER PRIMARY KEY, v CHECK (v > 0), u UNIQUE);
		PRAGMA ignore_check_constraints = ON;
		INSERT INTO c VALUES (1, 1, 'a'), (3, -1, 'c');
		PRAGMA ignore_check_constraints = OFF;`)
	d := o.clone()
	d.commit("UPDATE c SET v = 7, u = 'x' WHERE id = 3")
	d.commit("UPDATE c SET u = 'c' WHERE id = 1")
	d.settle(d.rejection(2, 0, tidemark.CodeForbidden), d.rejection(1, 0, tidemark.CodeForbidden))
	compareRows(t, o.schema, d.rows(), o.rows)
	d.applyWell(o.do("UPDATE c SET v = 2 WHERE id = 3"))
	compareRows(t, o.schema, d.rows(), o.rows)
}
