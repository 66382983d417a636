package policy

import (
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

const inventorySQL = `
CREATE TABLE artist (ArtistId INTEGER PRIMARY KEY, Name TEXT NOT NULL UNIQUE, tags TEXT, info TEXT, plays INTEGER, rating REAL, photo BLOB, anything, loud AS (upper(Name)), "odd name" TEXT);
CREATE TABLE album (id INTEGER PRIMARY KEY AUTOINCREMENT, artist INTEGER REFERENCES artist, label INTEGER NOT NULL REFERENCES artist, street TEXT, city TEXT, zip TEXT, n NUMERIC);
CREATE TABLE extra (id INTEGER PRIMARY KEY REFERENCES artist, v);
CREATE TABLE checked (id INTEGER PRIMARY KEY, v, CHECK ("ID" > 0));
CREATE TABLE rowchecked (id INTEGER PRIMARY KEY, v CHECK (_rowid_ <> 5));
CREATE TABLE oidcolumn (id INTEGER PRIMARY KEY, oid INTEGER CHECK (oid > 0));
CREATE TABLE bare (id INTEGER PRIMARY KEY);
CREATE TABLE word (w TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;
CREATE TABLE pair (a INTEGER REFERENCES artist, b INTEGER, v, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE nokey (x);
CREATE VIEW view1 AS SELECT 1;
`

func inventory(t testing.TB) *tidemark.Schema { return inspect(t, inventorySQL) }

// inspect reads the schema of a database that a script makes.
func inspect(t testing.TB, script string) *tidemark.Schema {
	t.Helper()
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.Script(script); err != nil {
		t.Fatal(err)
	}
	s, _, err := schema.Inspect(db, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func applied(t *testing.T, text string) (*tidemark.Schema, error) {
	t.Helper()
	c, err := Parse([]byte(text), "tidemark.yaml")
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	return Apply(c, inventory(t), Functions{Merge: []string{"price"}, Unique: []string{"rename"}})
}

func TestDefaultsOfIntegerKeys(t *testing.T) {
	s := Overlay(nil, inventory(t))
	want := map[string]tidemark.InsertPolicy{
		"artist": "renumber", "album": "renumber", "oidcolumn": "renumber",
		"extra": "merge", "checked": "merge", "rowchecked": "merge", "bare": "merge",
		"word": "", "pair": "",
	}
	for _, table := range s.Tables {
		if table.Policy.OnInsert != want[table.Name] {
			t.Errorf("%s: %q, want %q", table.Name, table.Policy.OnInsert, want[table.Name])
		}
	}
	if len(s.Tables) != len(want) {
		t.Errorf("%d tables", len(s.Tables))
	}
}

func TestApply(t *testing.T) {
	before := inventory(t)
	s, err := applied(t, `
tables:
  ARTIST:
    policy: first-write
    columns: { tags: set, INFO: json, plays: counter, rating: { policy: custom, function: price }, anything: text, "odd name": latest-edit }
    on_delete: update-wins
    on_insert: reject
    on_unique: { function: rename }
    keep: nothing
    max_skew: 1m
  album:
    groups:
      - { columns: [street, City, zip], policy: manual }
    references: { artist: set-null, label: reject }
    keep_for: 1d12h
    lease: 100
  word: { policy: append-only, on_insert: merge }
`)
	if err != nil {
		t.Fatal(err)
	}
	artist, album := s.Named("artist"), s.Named("album")
	policies := ""
	for c := range artist.Columns {
		policies += string(artist.PolicyOf(c)) + " "
	}
	if policies != "first-write first-write set json counter custom first-write text latest-edit " {
		t.Errorf("policies: %s", policies)
	}
	switch {
	case artist.Policy.OnDelete != tidemark.UpdateWins || artist.Policy.OnInsert != tidemark.InsertReject || artist.Policy.OnUnique != "rename":
		t.Errorf("artist: %+v", artist.Policy)
	case artist.Columns[5].Custom != "price" || artist.Policy.Keep != tidemark.KeepNothing || artist.Policy.MaxSkew.String() != "1m0s":
		t.Errorf("artist: %+v", artist.Policy)
	case album.Columns[3].Group != "street+city+zip" || len(album.GroupOf(4)) != 3 || album.PolicyOf(5) != tidemark.PolicyManual:
		t.Errorf("album: %+v", album.Columns)
	case !album.ForeignKeys[0].SetNull || album.ForeignKeys[1].SetNull || album.Policy.Lease != 100 || album.Policy.KeepFor.String() != "36h0m0s":
		t.Errorf("album: %+v %+v", album.ForeignKeys, album.Policy)
	case !s.Named("word").AppendOnly():
		t.Error("word is not append-only")
	case s.Hash == before.Hash || s.Hash != schema.HashOf(s):
		t.Error("the hash is not that of the policies")
	}
	// Applied to itself it stays, and nothing applied takes everything off.
	if again := Overlay(nil, s); again.Hash != Overlay(nil, before).Hash {
		t.Error("policies stay when the file is gone")
	}
	move := schema.Compare(before, s)
	if len(move.Out)+len(move.Widened)+len(move.Added) > 0 || len(move.Policies) == 0 {
		t.Errorf("move: %+v", move)
	}
}

func TestApplyRefuses(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"artst: {keep: nothing}", "2:1: the database has no table artst | did you mean artist?"},
		{"zzz: {keep: nothing}", "2:1: the database has no table zzz | the tables are: artist, album"},
		{"nokey: {keep: nothing}", "table nokey does not sync | tidemark check FILE says why"},
		{"view1: {keep: nothing}", "view1 is a view"},
		{"_tm_log: {keep: nothing}", "_tm_log is a table of Tidemark's own"},
		{"TM_conflicts: {keep: nothing}", "TM_conflicts is a table of Tidemark's own"},
		{"artist: {columns: {play: counter}}", "2:20: table artist has no column play | did you mean plays?"},
		{"artist: {columns: {loud: text}}", "loud is no stored column of table artist"},
		{"artist: {columns: {name: counter}}", "2:26: table artist: column Name is declared TEXT, a counter needs a type that stores numbers: INTEGER, REAL or NUMERIC | use last-write, latest-edit, first-write, max, min, set, json, text, reject, manual or custom"},
		{"artist: {columns: {plays: text}}", "column plays is declared INTEGER, which does not keep every text as it is written"},
		{"artist: {columns: {photo: json}}", "column photo is declared BLOB, json needs TEXT, JSON or no type"},
		{"artist: {columns: {rating: set}}", "column rating is declared REAL, a set is a JSON array"},
		{"artist: {columns: {artistid: max}}", "2:20: column ArtistId belongs to the primary key of artist"},
		{"album: {columns: {artist: counter}}", "column artist refers to another table; counter would make up values"},
		{"artist: {policy: text}", "2:18: table artist: column plays is declared INTEGER, which does not keep every text as it is written; text needs TEXT | give plays or its group a policy of its own"},
		{"word: {policy: counter, groups: []}", ""},
		{"album: {policy: max, columns: {artist: reject, label: reject}, groups: [{columns: [street, city]}]}", "column street merges as one with the group street+city; max merges single columns | give street or its group"},
		{"artist: {policy: custom}", "2:18: custom is a policy of columns"},
		{"artist: {columns: {info: {policy: custom, function: prize}}}", "no function prize is registered on this server | did you mean price?"},
		{"artist: {on_unique: {function: price}}", "no function price is registered on this server | registered are: rename"},
		{"album: {on_unique: {function: rename}}", "table album has no UNIQUE constraint"},
		{"album: {groups: [{columns: [street, city]}, {columns: [zip, CITY]}]}", "column city is in the group street+city already"},
		{"album: {groups: [{columns: [street, STREET]}]}", "column street is in the group twice"},
		{"album: {groups: [{columns: [street, id]}]}", "column id belongs to the primary key"},
		{"album: {groups: [{columns: [street, nix]}]}", "table album has no column nix"},
		{"album: {columns: {city: text}, groups: [{columns: [street, city]}]}", "column city has a policy of its own"},
		{"word: {policy: append-only, columns: {n: counter}}", "2:39: table word is append-only"},
		{"album: {policy: append-only, groups: [{columns: [street, city]}]}", "table album is append-only"},
		{"word: {policy: append-only, on_delete: manual}", "2:40: table word is append-only: no row"},
		{"extra: {on_insert: renumber}", "rows of extra cannot be renumbered: its key id is itself a reference to artist | use reject or merge"},
		{"checked: {on_insert: renumber}", "its key id stands in a CHECK constraint"},
		{"bare: {on_insert: renumber}", "it has no column beside its key"},
		{"word: {on_insert: renumber}", "its primary key is not one INTEGER PRIMARY KEY column"},
		{"artist: {lease: 100}", "table artist has no AUTOINCREMENT key"},
		{"album: {references: {label: set-null}}", "2:29: column label is NOT NULL | use reject"},
		{"album: {references: {city: set-null}}", "2:22: column city is no declared reference"},
		{"pair: {references: {a: set-null}}", "column a belongs to the primary key and cannot become NULL"},
		{"artist: {keep: nothing, keep_for: 1d}", "keep_for says how long losers are kept, and keep: nothing keeps none"},
		{"artist: {max_skew: 1m}", "max_skew has no effect"},
	} {
		s, err := applied(t, "tables: {\n"+c.text+"\n}\n")
		got := problemsOf(err)
		if c.want == "" && len(got) == 0 {
			continue
		}
		if s == nil || len(got) != 1 || !strings.Contains(got[0], c.want) {
			t.Errorf("%s:\n got %s\nwant %s", c.text, strings.Join(got, "\n     "), c.want)
		}
	}
}

func TestWhatDoesNotFitLeavesTheRestInForce(t *testing.T) {
	s, err := applied(t, "tables:\n  artist: {columns: {plays: counter, gone: text}, keep: nothing}\n  vanished: {keep: nothing}\n")
	if len(problemsOf(err)) != 2 {
		t.Errorf("%v", err)
	}
	if a := s.Named("artist"); a.PolicyOf(4) != tidemark.PolicyCounter || a.Policy.Keep != tidemark.KeepNothing {
		t.Errorf("artist: %+v", a)
	}
}

func TestTablesThatLeftKeepTheirPolicies(t *testing.T) {
	c, err := Parse([]byte("tables:\n  artist: {keep: nothing}\n"), "f")
	if err != nil {
		t.Fatal(err)
	}
	s := Overlay(c, inventory(t))
	s.Named("artist").Out = "recreated"
	if again := Overlay(nil, s); again.Named("artist").Policy.Keep != tidemark.KeepNothing {
		t.Error("changed")
	}
}

func TestExplain(t *testing.T) {
	c, err := Parse([]byte(`tables:
  artist:
    policy: first-write
    columns:
      plays: counter
    groups:
      - { columns: [tags, info], policy: manual }
    keep: nothing
  word: { policy: append-only }
`), "tidemark.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, table := range Explain(c, Overlay(c, inventory(t))) {
		if table.Table != "artist" && table.Table != "word" && table.Table != "extra" {
			continue
		}
		for _, f := range table.Columns {
			got.WriteString(strings.Join([]string{table.Table, f.Column, string(f.Policy), f.Group, string(f.From), lineText(f.Line)}, " ") + "\n")
		}
		for _, f := range table.Rows {
			got.WriteString(strings.Join([]string{table.Table, f.Name, "=", f.Value, string(f.From), lineText(f.Line), f.Why}, " ") + "\n")
		}
	}
	const want = `artist ArtistId    
artist Name first-write  table 3
artist tags manual tags+info group 7
artist info manual tags+info group 7
artist plays counter  column 5
artist rating first-write  table 3
artist photo first-write  table 3
artist anything first-write  table 3
artist odd name first-write  table 3
artist on_delete = delete-wins default  
artist on_insert = renumber default  rows that two copies insert under one integer key are two rows
artist on_unique = reject default  
artist keep = nothing table 8 values that lose are gone
extra id    
extra v last-write  default 
extra on_delete = delete-wins default  
extra on_insert = merge default  not renumber: its key id is itself a reference to artist
extra references id = reject default  to artist
extra keep = losers default  
extra keep_for = 30d default  
word w    
word n    
word policy = append-only table 9 rows can be added, never changed or removed
word on_insert = reject default  
word keep = losers default  
word keep_for = 30d default  
`
	if got.String() != want {
		t.Errorf("got\n%s", got.String())
	}
}

// lineText writes a line number, nothing for none.
func lineText(n int) string {
	if n == 0 {
		return ""
	}
	return string(rune('0' + n))
}
