package sim

import (
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// dump reads every row of the model's tables with plain SQL.
func dump(db *lite.DB, m *oracle.Model) (oracle.State, error) {
	s := oracle.State{}
	// A pragma alone does not notice that another connection changed the schema.
	if _, err := db.Int("SELECT count(*) FROM sqlite_master"); err != nil {
		return nil, err
	}
	for _, t := range m.Tables {
		s[t.Name] = map[string]oracle.Row{}
		if t.Grows {
			n, err := db.Int("SELECT count(*) FROM pragma_table_info(" + lite.Literal(tidemark.Text(t.Name)) + ")")
			if err != nil {
				return nil, err
			}
			if s.SetWidth(t, int(n)); n == 0 {
				continue
			}
		}
		err := db.Each(selectAll(t, s.Width(t)), func(st *lite.Stmt) error {
			m.Put(s, t.Name, st.Row(0))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

func selectAll(t *oracle.Table, width int) string {
	names := make([]string, width)
	for i, c := range t.Columns[:width] {
		names[i] = lite.Quote(c)
	}
	return "SELECT " + strings.Join(names, ", ") + " FROM main." + lite.Quote(t.Name)
}

// difference says which changes turn one state into another.
func difference(m *oracle.Model, before, after oracle.State) []oracle.Change {
	var out []oracle.Change
	for _, t := range m.Tables {
		for _, key := range sortedUnion(before[t.Name], after[t.Name]) {
			old, was := before[t.Name][key]
			now, is := after[t.Name][key]
			switch {
			case !is:
				out = append(out, oracle.Change{Table: t.Name, Op: tidemark.Delete, Key: keyOf(t, old)})
			case !was:
				out = append(out, oracle.Change{Table: t.Name, Op: tidemark.Insert, Key: keyOf(t, now), New: now})
			case !slices.Equal(old, now):
				out = append(out, updateOf(t, old, now))
			}
		}
	}
	return out
}

func updateOf(t *oracle.Table, old, now oracle.Row) oracle.Change {
	c := oracle.Change{Table: t.Name, Op: tidemark.Update, Key: keyOf(t, old)}
	for i := range now {
		if now[i] != old[i] {
			c.Cols = append(c.Cols, i)
			c.New = append(c.New, now[i])
		}
	}
	return c
}

func keyOf(t *oracle.Table, r oracle.Row) []tidemark.Value {
	key := make([]tidemark.Value, len(t.Key))
	for i, c := range t.Key {
		key[i] = r[c]
	}
	return key
}

func sortedUnion(a, b map[string]oracle.Row) []string {
	var keys []string
	for k := range a {
		keys = append(keys, k)
	}
	for k := range b {
		if _, twice := a[k]; !twice {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// named turns the engine's changes, which go by table ID, into the oracle's.
func named(s *tidemark.Schema, changes []tidemark.Change) []oracle.Change {
	out := make([]oracle.Change, 0, len(changes))
	for _, c := range changes {
		t := s.Table(c.Table)
		if t == nil {
			continue
		}
		out = append(out, oracle.Change{Table: t.Name, Op: c.Op, Key: c.Key, Cols: c.Cols, New: c.New})
	}
	return out
}

// equal compares two states.
func equal(a, b oracle.State) bool { return oracle.Diff(a, b, 1) == "" }
