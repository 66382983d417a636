package capture

import (
	"fmt"
	"os"
	"testing"

	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

func TestSmoke(t *testing.T) {
	db, err := lite.Open(t.TempDir()+"/x.db", lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.Script(`create table a(id integer primary key, b text unique, c real); create table "we ird"("x y" text primary key collate nocase, "select", z) without rowid;
	create table k5(a,b,c,d,e not null,f, primary key(a,b,c,d,e)); create unique index k5i on k5(lower(f)) where f>3;`)
	s, r, err := schema.Inspect(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range r.Tables {
		fmt.Println(v)
	}
	if err := Install(db, Main, s, false); err != nil {
		t.Fatal(err)
	}
	if os.Getenv("SHOW") != "" {
		db.Each("select sql from sqlite_master", func(s *lite.Stmt) error { fmt.Println(s.Text(0)); return nil })
	}
	v1, _ := db.Int("pragma schema_version")
	if err := Install(db, Main, s, false); err != nil {
		t.Fatal(err)
	}
	v2, _ := db.Int("pragma schema_version")
	if v1 != v2 {
		t.Fatal("not idempotent")
	}
	if err := db.Script(`insert into a values(1,'x',1.5),(2,'y',3); update a set c=c+1; update or replace a set b='x' where id=2; update a set id=7;
	insert into "we ird" values('abc',1,2); update "we ird" set "x y"='ABC'; insert into k5 values(1,2,3,4,5,6);update k5 set e=9; replace into k5 values(0,0,0,0,0,6)`); err != nil {
		t.Fatal(err)
	}
	segs, err := Segments(db, Main, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range segs {
		for _, r := range g.Rows {
			fmt.Println(r.Table.Name, r.Before, r.After)
		}
	}
	db.Each("select * from _tm_log", func(s *lite.Stmt) error { fmt.Println(s.Row(0)); return nil })
}
