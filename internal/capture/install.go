package capture

import (
	"fmt"
	"sort"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// Install makes the log and the triggers for all tables of s that sync. It is
// idempotent: triggers that are there already and have the right text stay,
// and when nothing is to be done nothing is written. readOnly makes triggers
// that refuse every write instead (replicas only). In the file itself it makes
// the guards that the schema brings, too.
func Install(db *lite.DB, place Place, s *tidemark.Schema, readOnly bool) error {
	do := func() error { return install(db, place, s, readOnly) }
	if place == Main && !db.InTransaction() {
		return db.Transaction(do)
	}
	return db.Savepoint("_tm_install", do)
}

func install(db *lite.DB, place Place, s *tidemark.Schema, readOnly bool) error {
	if err := makeTables(db, place, s); err != nil {
		return err
	}
	have, err := readTriggers(db, place)
	if err != nil {
		return err
	}
	var want []trigger
	for _, t := range s.Tables {
		if t.Out != "" {
			continue
		}
		m := maker{t: t, lay: layoutOf(t), place: place, timed: place == Main && KeepsTime(t)}
		if m.names, err = columnNames(db, t); err != nil {
			return err
		}
		if readOnly {
			want = append(want, m.refusals()...)
			continue
		}
		want = append(want, m.triggers()...)
	}
	if place == Main && !readOnly {
		want = append(want, guards(s)...)
	}
	missing, err := dropOthers(db, place, have, want)
	if err != nil {
		return err
	}
	made := map[int][]trigger{}
	var guarding, capturing []trigger
	for _, w := range missing {
		if strings.HasPrefix(w.name, GuardPrefix) {
			guarding = append(guarding, w)
			continue
		}
		capturing = append(capturing, w)
		made[w.table] = append(made[w.table], w)
	}
	if err := createAll(db, place, capturing); err != nil {
		return err
	}
	if err := verify(db, place, s, made); err != nil {
		return err
	}
	return createGuards(db, s, guarding)
}

const logColumns = "(n INTEGER PRIMARY KEY, t, op, m, v0, v1, v2, v3, v4, v5, v6, v7, v8, v9)"

func makeTables(db *lite.DB, place Place, s *tidemark.Schema) error {
	n, err := db.Int("SELECT count(*) FROM " + place.master() + " WHERE type = 'table' AND name = '_tm_log'")
	if err != nil {
		return err
	}
	if n == 0 {
		if err := db.Run("CREATE TABLE " + place.log() + " " + logColumns); err != nil {
			return err
		}
	}
	if place == Temp {
		return nil
	}
	return recordTables(db, s)
}

// recordTables keeps the list of tables that have a number. A number outlives
// its table, so that it never goes to another one.
func recordTables(db *lite.DB, s *tidemark.Schema) error {
	n, err := db.Int("SELECT count(*) FROM main.sqlite_master WHERE type = 'table' AND name = '_tm_table'")
	if err != nil {
		return err
	}
	if n == 0 {
		if err := db.Run(`CREATE TABLE main._tm_table (t INTEGER PRIMARY KEY, name TEXT, "out" TEXT)`); err != nil {
			return err
		}
	}
	for _, t := range s.Tables {
		args := []tidemark.Value{tidemark.Int(int64(t.ID)), tidemark.Text(t.Name), tidemark.Text(t.Out)}
		same, err := db.Int(`SELECT count(*) FROM main._tm_table WHERE t = ?1 AND name = ?2 AND "out" = ?3`, args...)
		if err != nil {
			return err
		}
		if same > 0 {
			continue
		}
		if err := db.Run(`INSERT OR REPLACE INTO main._tm_table (t, name, "out") VALUES (?1, ?2, ?3)`, args...); err != nil {
			return err
		}
	}
	return nil
}

// IDs reads the numbers that tables have, as schema.Inspect takes them.
func IDs(db *lite.DB) (map[string]int, error) {
	ids := map[string]int{}
	err := db.Each("SELECT name, t FROM main._tm_table ORDER BY t", func(s *lite.Stmt) error {
		ids[s.Text(0)] = int(s.Int(1))
		return nil
	})
	return ids, err
}

func columnNames(db *lite.DB, t *tidemark.Table) ([]string, error) {
	var names []string
	err := db.Each("SELECT name FROM pragma_table_xinfo(?1, 'main') ORDER BY cid", func(s *lite.Stmt) error {
		names = append(names, s.Text(0))
		return nil
	}, tidemark.Text(t.Name))
	return names, err
}

// installed is a trigger as sqlite_schema keeps it.
type installed struct {
	table string
	body  string
	last  bool // no trigger of the app on this table is younger
}

// readTriggers lists the capture triggers that are there.
func readTriggers(db *lite.DB, place Place) (map[string]installed, error) {
	have := map[string]installed{}
	youngest := map[string]int64{} // the app's triggers by table
	rows := map[string]int64{}
	err := db.Each("SELECT rowid, name, tbl_name, sql FROM "+place.master()+" WHERE type = 'trigger'", func(s *lite.Stmt) error {
		name, table := s.Text(1), tidemark.FoldName(s.Text(2))
		if !captures(name) {
			youngest[table] = max(youngest[table], s.Int(0))
			return nil
		}
		rows[name] = s.Int(0)
		have[name] = installed{table: table, body: strings.TrimPrefix(s.Text(3), "CREATE TRIGGER ")}
		return nil
	})
	for name, t := range have {
		t.last = rows[name] > youngest[t.table]
		have[name] = t
	}
	return have, err
}

// captures reports whether a trigger is one of ours.
func captures(name string) bool { return strings.HasPrefix(name, "_tm_") }

// current reports whether a trigger can stay as it is. SQLite fires the
// youngest trigger first, and the one behind inserts must come before the
// app's: these may move or delete the new row again.
func current(h installed, w trigger) bool {
	return h.body == w.body && (h.last || !strings.HasSuffix(w.name, "_"+kindInserted))
}

// dropOthers takes off what is not wanted and returns what is missing then.
func dropOthers(db *lite.DB, place Place, have map[string]installed, want []trigger) (missing []trigger, err error) {
	keep := map[string]bool{}
	for _, w := range want {
		if h, ok := have[w.name]; ok && current(h, w) {
			keep[w.name] = true
			continue
		}
		missing = append(missing, w)
	}
	var others []trigger
	for _, name := range sortedNames(have) {
		if !keep[name] {
			others = append(others, trigger{name: name})
		}
	}
	return missing, dropAll(db, place, others)
}

func dropAll(db *lite.DB, place Place, triggers []trigger) error {
	for _, t := range triggers {
		if err := db.Run("DROP TRIGGER " + string(place) + "." + lite.Quote(t.name)); err != nil {
			return err
		}
	}
	return nil
}

func createAll(db *lite.DB, place Place, triggers []trigger) error {
	create := "CREATE TRIGGER main."
	if place == Temp {
		create = "CREATE TEMP TRIGGER "
	}
	for _, t := range triggers {
		if err := db.Script(create + t.body); err != nil {
			return fmt.Errorf("capture: trigger %s: %w", t.name, err)
		}
	}
	return nil
}

func sortedNames(have map[string]installed) []string {
	names := make([]string, 0, len(have))
	for name := range have {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Remove takes the triggers and the log off again. The numbers of the tables stay.
func Remove(db *lite.DB, place Place) error {
	have, err := readTriggers(db, place)
	if err != nil {
		return err
	}
	if _, err := dropOthers(db, place, have, nil); err != nil {
		return err
	}
	return db.Run("DROP TABLE IF EXISTS " + place.log())
}
