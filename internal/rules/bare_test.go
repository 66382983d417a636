package rules

import (
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark/internal/lite"
)

// keywords are all of SQLite's, https://www.sqlite.org/lang_keywords.html.
const keywords = `ABORT ACTION ADD AFTER ALL ALTER ALWAYS ANALYZE AND AS ASC ATTACH AUTOINCREMENT BEFORE BEGIN BETWEEN BY CASCADE CASE CAST CHECK
	COLLATE COLUMN COMMIT CONFLICT CONSTRAINT CREATE CROSS CURRENT CURRENT_DATE CURRENT_TIME CURRENT_TIMESTAMP DATABASE DEFAULT DEFERRABLE
	DEFERRED DELETE DESC DETACH DISTINCT DO DROP EACH ELSE END ESCAPE EXCEPT EXCLUDE EXCLUSIVE EXISTS EXPLAIN FAIL FILTER FIRST FOLLOWING
	FOR FOREIGN FROM FULL GENERATED GLOB GROUP GROUPS HAVING IF IGNORE IMMEDIATE IN INDEX INDEXED INITIALLY INNER INSERT INSTEAD INTERSECT
	INTO IS ISNULL JOIN KEY LAST LEFT LIKE LIMIT MATCH MATERIALIZED NATURAL NO NOT NOTHING NOTNULL NULL NULLS OF OFFSET ON OR ORDER OTHERS
	OUTER OVER PARTITION PLAN PRAGMA PRECEDING PRIMARY QUERY RAISE RANGE RECURSIVE REFERENCES REGEXP REINDEX RELEASE RENAME REPLACE RESTRICT
	RETURNING RIGHT ROLLBACK ROW ROWS SAVEPOINT SELECT SET TABLE TEMP TEMPORARY THEN TIES TO TRANSACTION TRIGGER UNBOUNDED UNION UNIQUE
	UPDATE USING VACUUM VALUES VIEW VIRTUAL WHEN WHERE WINDOW WITH WITHOUT`

// TestBareNamesAreNames makes an index by the statement that advice would give.
func TestBareNamesAreNames(t *testing.T) {
	names := append(strings.Fields(keywords), strings.Fields(strings.ToLower(keywords))...)
	for _, name := range append(names, "a b", `x"y`, "1st", "$a", "ünï", "a.b", "-", "task", "_x", "it's", "--", "a/*") {
		db, _ := open(t, "CREATE TABLE "+lite.Quote(name)+" ("+lite.Quote(name)+" INT)")
		if err := db.Script("CREATE INDEX " + Bare(name+"_i") + " ON " + Bare(name) + " (" + Bare(name) + ")"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"task", "_x", "key", "project_id"} {
		if Bare(name) != name {
			t.Errorf("%s needs no quotes", name)
		}
	}
}
