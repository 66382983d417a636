package replica

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
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
	r.left = nil
	n, err := r.db.Int("SELECT count(*) FROM main.sqlite_master WHERE type = 'trigger' AND substr(name, 1, 4) <> '_tm_'")
	if err != nil || n == 0 {
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
		if why, muted := r.muted[tidemark.FoldName(t.Table)]; muted {
			r.left = append(r.left, fmt.Sprintf("trigger %s: %s", t.Name, why))
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

// mirrorFailure says that not the row was refused, but, as it seems, one of the
// app's triggers that fire here too could not do its work.
type mirrorFailure struct {
	table string
	cause error
}

func (e *mirrorFailure) Error() string {
	return fmt.Sprintf("a trigger on %s failed: %v", e.table, e.cause)
}

func (e *mirrorFailure) Unwrap() error { return e.cause }

// blame tells a refusal of the row from the failure of a mirrored trigger: on
// the engine's connection nothing else raises, nothing else writes another
// table, and no other write of a row fails for a reason of neither the row nor
// the machine.
func blame(t *tidemark.Table, err error) error {
	v := lite.Violation(err)
	switch {
	case err == nil:
		return nil
	case v == nil:
		if lite.Environment(err) {
			return err
		}
	case v.Code == tidemark.CodeRaised, lite.ByModule(err):
	case v.Table == "" || tidemark.SameName(v.Table, t.Name) || strings.Contains(t.Name, "."):
		return err
	}
	return &mirrorFailure{t.Name, err}
}

// withoutMirrors does the work again without the app's triggers that fire
// everywhere on a table, when one of them could not do its own. A full-text
// index that lags behind must not stop syncing; Skipped tells of it.
func (r *Replica) withoutMirrors(work func() (*Applied, error)) (*Applied, error) {
	var muted []string
	for {
		a, err := work()
		var m *mirrorFailure
		if err == nil || !errors.As(err, &m) {
			return a, err
		}
		name := tidemark.FoldName(m.table)
		if _, before := r.muted[name]; before || len(r.mirrors) == 0 && len(muted) == 0 {
			// It fails without them too: they are not to blame.
			for _, name := range muted {
				delete(r.muted, name)
			}
			return nil, fmt.Errorf("table %s: %w", m.table, m.cause)
		}
		if r.muted == nil {
			r.muted = map[string]string{}
		}
		r.muted[name], muted = m.cause.Error(), append(muted, name)
	}
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
