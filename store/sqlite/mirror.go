package sqlite

import (
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// mirror is a TEMP copy of one of the app's triggers on the writing connection,
// where the originals are off: those that only raise guard the server too, and
// those that write unsynced tables (a full-text index, say) fire everywhere.
type mirror struct {
	name  string // of the app's trigger
	temp  string // of the copy
	table string
	guard bool
	sql   string
}

// dress makes the TEMP capture, the mirrors, the rules and the scopes for a schema,
// unless it has them.
func (s *Store) dress(sc *tidemark.Schema) error {
	if err := s.arm(sc); err != nil {
		return err
	}
	if _, err := s.scopingFor(sc); err != nil {
		return err
	}
	if s.dressed == sc.Hash {
		return nil
	}
	if err := s.undress(); err != nil {
		return err
	}
	if err := capture.Install(s.db, capture.Temp, sc, false); err != nil {
		return err
	}
	ids, err := capture.IDs(s.db)
	if err != nil {
		return err
	}
	_, report, err := schema.Inspect(s.db, ids)
	if err != nil {
		return err
	}
	for i, t := range report.Triggers {
		if t.Class == schema.TriggerOrigin || s.leftOut[t.Name] {
			continue
		}
		m := mirror{name: t.Name, temp: fmt.Sprintf("tidemark_mirror_%d", i), table: t.Table, guard: t.Class == schema.TriggerGuard}
		m.sql = "CREATE TEMP TRIGGER " + m.temp + " " + afterName(t.SQL)
		if err := s.db.Script(m.sql); err != nil {
			s.leaveOut(m, err)
			continue
		}
		s.mirrors = append(s.mirrors, m)
	}
	s.dressed, s.fresh = sc.Hash, true
	return nil
}

// strip takes everything TEMP off that was made for a schema.
func (s *Store) strip() error {
	if err := s.undress(); err != nil {
		return err
	}
	s.dressed, s.fresh = "", true
	return capture.Remove(s.db, capture.Temp)
}

// undress drops the mirrors. Capture sees to its own triggers.
func (s *Store) undress() error {
	s.mirrors = nil
	if err := s.dropOrphans(); err != nil {
		return err
	}
	var temps []string
	err := s.db.Each("SELECT name FROM temp.sqlite_temp_master WHERE type = 'trigger' AND name LIKE 'tidemark\\_mirror\\_%' ESCAPE '\\'", func(st *lite.Stmt) error {
		temps = append(temps, st.Text(0))
		return nil
	})
	for _, name := range temps {
		if err == nil {
			err = s.db.Run("DROP TRIGGER temp." + name)
		}
	}
	return err
}

// dropOrphans forgets TEMP triggers whose table another connection dropped.
// SQLite does not know them any more, so that no DROP TRIGGER finds them, but
// they would come back to life with the next table of that name.
func (s *Store) dropOrphans() error {
	const orphans = ` FROM temp.sqlite_temp_master WHERE type = 'trigger'
		AND lower(tbl_name) NOT IN (SELECT lower(name) FROM main.sqlite_master WHERE type IN ('table', 'view'))`
	n, err := s.db.Int("SELECT count(*)" + orphans)
	if err != nil || n == 0 {
		return err
	}
	if err := s.db.Run("PRAGMA writable_schema = ON"); err != nil {
		return err
	}
	err = s.db.Run("DELETE" + orphans)
	if oerr := s.db.Run("PRAGMA writable_schema = OFF"); err == nil {
		err = oerr
	}
	return err
}

// afterName cuts "CREATE TRIGGER name" off. SQLite stores it in just this form.
func afterName(sql string) string {
	rest := strings.TrimLeft(sql[min(len(sql), len("CREATE TRIGGER")):], " \t\r\n")
	if rest == "" {
		return ""
	}
	end := strings.IndexAny(rest, " \t\r\n")
	switch rest[0] {
	case '"', '\'', '`':
		for end = 1; end < len(rest); end++ {
			if rest[end] != rest[0] {
				continue
			}
			if end+1 == len(rest) || rest[end+1] != rest[0] {
				break
			}
			end++
		}
		end++
	case '[':
		end = strings.IndexByte(rest, ']') + 1
	}
	if end < 0 || end > len(rest) {
		return ""
	}
	return rest[end:]
}

func (s *Store) leaveOut(m mirror, err error) {
	s.leftOut[m.name] = true
	s.opts.Warn(fmt.Sprintf("trigger %s on %s failed while a changeset was applied and is left out: %v", m.name, m.table, err))
}

// withoutGuards runs fn while the raising triggers of a table are away.
func (s *Store) withoutGuards(t *tidemark.Table, fn func() error) error {
	var away []mirror
	for _, m := range s.mirrors {
		if m.guard && (t == nil || tidemark.SameName(m.table, t.Name)) {
			away = append(away, m)
			if err := s.db.Run("DROP TRIGGER temp." + m.temp); err != nil {
				return err
			}
		}
	}
	err := fn()
	if !s.db.InTransaction() {
		return err
	}
	for _, m := range away {
		if cerr := s.db.Script(m.sql); err == nil {
			err = cerr
		}
	}
	return err
}

// mirrorFailed reports whether a write may have failed because of a mirror that
// writes unsynced tables, and not for a reason of its own.
func (s *Store) mirrorFailed(x *tx, err error) bool {
	any := false
	for _, m := range s.mirrors {
		any = any || !m.guard
	}
	if !any || lite.Environment(err) {
		return false
	}
	v := lite.Violation(err)
	return v == nil || lite.ByModule(err) || v.Table != "" && x.schema.Named(v.Table) == nil && !x.known(v.Msg)
}

// known reports whether a message names a synced table.
func (x *tx) known(msg string) bool {
	_, _, ok := x.placesOf(msg)
	return ok
}

// withoutBroken finds the mirror that makes a write fail, and leaves it out.
func (s *Store) withoutBroken(cause error, write func() error) error {
	for i, m := range s.mirrors {
		if m.guard {
			continue
		}
		if err := s.db.Run("DROP TRIGGER temp." + m.temp); err != nil {
			return err
		}
		if write() == nil {
			s.leaveOut(m, cause)
			s.mirrors = append(s.mirrors[:i:i], s.mirrors[i+1:]...)
			return nil
		}
		if !s.db.InTransaction() {
			return cause
		}
		if err := s.db.Script(m.sql); err != nil {
			return err
		}
	}
	return cause
}
