package schema

import (
	"reflect"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

const allFeatures = `
	CREATE TABLE a(id INTEGER PRIMARY KEY AUTOINCREMENT, n TEXT COLLATE NOCASE NOT NULL DEFAULT 'x<&>', u UNIQUE);
	CREATE TABLE "b ünï"(x, y INT REFERENCES a ON DELETE CASCADE, PRIMARY KEY(y, x)) WITHOUT ROWID;
	CREATE TABLE c(id INTEGER PRIMARY KEY, v ANY) STRICT;
	CREATE UNIQUE INDEX i ON a(lower(n)) WHERE n <> '';
	CREATE VIEW v AS SELECT 1; CREATE TABLE plain(x);`

func TestEncodeAndBack(t *testing.T) {
	s, _ := inspected(t, allFeatures)
	s.Tables[0].Out = "no longer. Clone again."
	s.Hash = HashOf(s)
	got, err := Decode(Encode(s))
	must(t, err)
	if !reflect.DeepEqual(got, s) {
		t.Errorf("got %s\nwant %s", Encode(got), Encode(s))
	}
	if HashOf(got) != s.Hash {
		t.Error("the hash changes on the way")
	}
}

func TestHashIgnoresOrder(t *testing.T) {
	s, _ := inspected(t, allFeatures)
	before := HashOf(s)
	s.Objects[0], s.Objects[1] = s.Objects[1], s.Objects[0]
	s.Tables[0], s.Tables[1] = s.Tables[1], s.Tables[0]
	if HashOf(s) != before {
		t.Error("the hash depends on the order of tables or objects")
	}
	s.Objects[0].SQL += " "
	if HashOf(s) == before {
		t.Error("the hash does not see a change")
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, bad := range []string{
		``, `[]`, `{"tables":[{}]}`, `{"tables":[{"id":0,"columns":[{}],"key":[0]}]}`,
		`{"tables":[{"id":1,"columns":[{}],"key":[1]}]}`, `{"tables":[{"id":1,"columns":[{}],"key":[-1]}]}`, `{"tables":[{"id":1,"columns":[{}],"key":[0,0]}]}`,
		`{"tables":[{"id":1,"columns":[{"affinity":9}],"key":[0]}]}`,
		`{"tables":[{"id":1,"columns":[{}],"key":[0]},{"id":1,"columns":[{}],"key":[0]}]}`,
		`{"tables":[{"id":1,"columns":[{}],"key":[0],"uniques":[{"terms":[{"column":5}]}]}]}`,
		`{"tables":[{"id":1,"columns":[{}],"key":[0],"foreign_keys":[{"columns":[7],"to":["x"]}]}]}`,
		`{"tables":[{"id":1,"columns":[{}],"key":[0],"foreign_keys":[{"columns":[0],"to":[]}]}]}`,
	} {
		if _, err := Decode([]byte(bad)); tidemark.CodeOf(err) != tidemark.CodeProtocol {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	db := openWith(f, allFeatures)
	s, _, err := Inspect(db, nil)
	must(f, err)
	f.Add(Encode(s))
	f.Add([]byte(`{"tables":[{"id":1,"columns":[{}],"key":[0]}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Decode(b)
		if err != nil {
			return
		}
		again, err := Decode(Encode(s))
		if err != nil {
			t.Fatalf("what Encode wrote does not decode: %v", err)
		}
		if HashOf(again) != HashOf(s) {
			t.Fatal("the hash changes on the way")
		}
		Compare(s, again)
		for _, table := range s.Tables {
			table.KeyOf(make([]tidemark.Value, len(table.Columns)))
		}
	})
}

func FuzzTokens(f *testing.F) {
	for _, seed := range []string{allFeatures, "'a''b", "[x", "/* ", "--", "1e+5", "x'0", "((a,b),(c", `"a""b"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		at := 0
		for _, tok := range tokens(sql) {
			if tok.start < at || tok.end <= tok.start || tok.end > len(sql) {
				t.Fatalf("token %+v behind %d", tok, at)
			}
			at = tok.end
			tok.name(sql)
		}
		indexText(sql)
		added(sql, sql)
		defaultText(sql)
		Names(sql)
	})
}
