package replica

import (
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark/internal/lite"
	structure "github.com/tidemarkdb/tidemark/internal/schema"
)

// mirror makes TEMP triggers of those of the app's triggers that write only
// unsynced tables, such as the upkeep of a full-text index. The triggers in
// the file are off on this connection; these fire for what the engine writes.
func (r *Replica) mirror() error {
	if err := r.dropMirrors(); err != nil {
		return err
	}
	if !r.noMirror {
		r.left = nil
	}
	n, err := r.db.Int("SELECT count(*) FROM main.sqlite_master WHERE type = 'trigger' AND substr(name, 1, 4) <> '_tm_'")
	if err != nil || n == 0 || r.noMirror {
		return err
	}
	_, report, err := structure.Inspect(r.db, tableIDs(r.server))
	if err != nil {
		return err
	}
	for i, t := range report.Triggers {
		if t.Class != structure.TriggerEverywhere {
			continue
		}
		name := fmt.Sprintf("_tm_mirror_%d", i+1)
		if err := r.db.Script(mirrorSQL(name, t.SQL)); err != nil {
			r.left = append(r.left, fmt.Sprintf("trigger %s: %v", t.Name, err))
			continue
		}
		r.mirrors = append(r.mirrors, name)
	}
	return nil
}

func (r *Replica) dropMirrors() error {
	r.mirrors = nil
	var names []string
	err := r.db.Each("SELECT name FROM temp.sqlite_master WHERE type = 'trigger'", func(s *lite.Stmt) error {
		names = append(names, s.Text(0))
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := r.db.Run("DROP TRIGGER temp." + lite.Quote(name)); err != nil {
			return err
		}
	}
	return nil
}

// mirrorSQL gives a trigger's text, as SQLite keeps it ("CREATE TRIGGER name
// ..."), another name and makes it temporary.
func mirrorSQL(name, sql string) string {
	rest := strings.TrimSpace(sql)
	for _, word := range []string{"CREATE", "TRIGGER"} {
		if len(rest) >= len(word) && strings.EqualFold(rest[:len(word)], word) {
			rest = strings.TrimSpace(rest[len(word):])
		}
	}
	return "CREATE TEMP TRIGGER " + lite.Quote(name) + " " + rest[nameLength(rest):]
}

// nameLength measures the identifier that s begins with.
func nameLength(s string) int {
	if s == "" {
		return 0
	}
	end := map[byte]byte{'"': '"', '`': '`', '\'': '\'', '[': ']'}[s[0]]
	if end == 0 {
		if i := strings.IndexAny(s, " \t\r\n\f/-"); i >= 0 {
			return i
		}
		return len(s)
	}
	for i := 1; i < len(s); i++ {
		if s[i] != end {
			continue
		}
		if end != ']' && i+1 < len(s) && s[i+1] == end {
			i++
			continue
		}
		return i + 1
	}
	return len(s)
}
