package guards

import (
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// BenchmarkGuards writes 1,000 rows in a transaction, which is undone: captured,
// and captured under guards of immutable columns and of conditions. Time is of one row.
func BenchmarkGuards(b *testing.B) {
	const rows = 1000
	for _, c := range []struct {
		name string
		r    *tidemark.Rules
	}{
		{"capture", nil},
		{"immutable", &tidemark.Rules{Tables: []tidemark.TableRules{{Table: "task", Insert: "public", Update: "public", Delete: "public", Immutable: []string{"author", "project"}}}}},
		{"conditions", &tidemark.Rules{Tables: []tidemark.TableRules{{
			Table: "task", Insert: "NEW.author = :user AND NEW.state IN ('open', 'done')", Update: "OLD.author = :user AND NEW.state IN ('open', 'done')",
			Delete: "OLD.author = :user", Immutable: []string{"author", "project"},
		}}}},
	} {
		for _, sql := range []struct{ name, do string }{
			{"insert", "WITH RECURSIVE n (i) AS (SELECT 1001 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) INSERT INTO task SELECT i, 1, 'ann', 'open', 'a title' FROM n"},
			{"update", "UPDATE task SET state = 'done', title = title || '!'"},
			{"delete", "DELETE FROM task WHERE id > 0"},
		} {
			b.Run(sql.name+"/"+c.name, func(b *testing.B) {
				db := benched(b, c.r)
				for b.Loop() {
					must(b, db.Run("BEGIN IMMEDIATE"))
					must(b, db.Script(sql.do))
					must(b, db.Run("ROLLBACK"))
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
			})
		}
	}
}

func benched(b *testing.B, r *tidemark.Rules) *lite.DB {
	b.Helper()
	db, err := lite.Open(":memory:", lite.Options{Create: true})
	must(b, err)
	b.Cleanup(func() { _ = db.Close() })
	must(b, db.Script(`CREATE TABLE task (id INTEGER PRIMARY KEY, project INTEGER, author TEXT, state TEXT, title TEXT);
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO task SELECT i, 1, 'ann', 'open', 'a title' FROM n;`))
	s, _, err := schema.Inspect(db, nil)
	must(b, err)
	if s.Guards, err = Of(s, r); r != nil && len(s.Guards) == 0 {
		b.Fatal("no guards")
	}
	must(b, err)
	must(b, db.Script("CREATE TABLE _tm_meta (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO _tm_meta VALUES ('principal', 'ann'); CREATE TABLE _tm_pending_row (t, key, n, PRIMARY KEY (t, key, n)) WITHOUT ROWID"))
	must(b, capture.Install(db, capture.Main, s, false))
	return db
}
