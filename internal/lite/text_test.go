package lite

import (
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// Half a surrogate pair is what it becomes when it is written once more; bytes
// that a database in UTF-8 holds stay as they are.
func TestHalfASurrogatePair(t *testing.T) {
	for encoding, texts := range map[string]map[string]string{
		"UTF-16le": {
			"x'61003dd8'": "a\uFFFD", "x'61003dd8620000d8'": "a\U0001F462\uFFFD", "x'3dd800de'": "\U0001F600", "x'00d8'": "\uFFFD",
			"x'ffd7'": "\uD7FF", "x'00e0'": "\uE000", "x'edd761003dd8'": "\uD7EDa\uFFFD",
		},
		"UTF-16be": {"x'0061d83d'": "a\uFFFD"},
		"UTF-8":    {"x'61eda0bd'": "a\xED\xA0\xBD", "x'ed'": "\xED", "x'eda0'": "\xED\xA0", "x'f09f9880'": "\U0001F600"},
	} {
		db := open(t)
		if err := db.Script("PRAGMA encoding = '" + encoding + "'; CREATE TABLE t (v TEXT)"); err != nil {
			t.Fatal(err)
		}
		for bytes, want := range texts {
			if err := db.Script("DELETE FROM t; INSERT INTO t VALUES (CAST(" + bytes + " AS TEXT))"); err != nil {
				t.Fatal(err)
			}
			got, err := db.Text("SELECT v FROM t")
			if err != nil || got != want {
				t.Errorf("%s in %s is read as %q, want %q, %v", bytes, encoding, got, want, err)
			}
			if err := db.Run("UPDATE t SET v = ?1", tidemark.Text(got)); err != nil {
				t.Fatal(err)
			}
			if again, err := db.Text("SELECT v FROM t"); err != nil || again != want {
				t.Errorf("%s in %s: %q written again is %q, %v", bytes, encoding, got, again, err)
			}
		}
	}
}
