package capture

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// trigger is a trigger to be made: everything behind CREATE [TEMP] TRIGGER,
// the form in which sqlite_schema keeps it.
type trigger struct {
	table int
	name  string
	body  string
}

// maker writes the triggers of one table. All SQL is that of SQLite 3.8.
type maker struct {
	t     *tidemark.Table
	lay   *layout
	place Place
	names []string // all columns, the generated ones too
	timed bool     // edits are kept with their time
}

// KeepsTime reports whether some column of a table merges by the time of
// edits, so that the triggers in the file record it.
func KeepsTime(t *tidemark.Table) bool {
	for c := range t.Columns {
		if t.PolicyOf(c) == tidemark.PolicyLatestEdit {
			return true
		}
	}
	return false
}

func (m maker) triggers() []trigger {
	out := []trigger{m.inserted(), m.deleted()}
	for g := range m.lay.groups {
		out = append(out, m.updated(g))
	}
	out = append(out, m.keyChanging(), m.keyChanged())
	if m.place == Main {
		out = append(out, m.probes()...)
	}
	return out
}

// named finishes a trigger of a kind: its time and event, condition and steps.
func (m maker) named(kind, event, when string, steps ...string) trigger {
	name := fmt.Sprintf("_tm_%d_%s", m.t.ID, kind)
	b := lite.Quote(name) + " " + event + " ON " + lite.Quote(m.t.Name)
	if m.place == Temp {
		b = lite.Quote(name) + " " + event + " ON main." + lite.Quote(m.t.Name)
	}
	if when != "" {
		b += " WHEN " + when
	}
	return trigger{m.t.ID, name, b + " BEGIN " + strings.Join(steps, "; ") + "; END"}
}

// table names the synced table as it stands in FROM inside a trigger. One
// that is called new or old gets another name there.
func (m maker) table() string {
	name := lite.Quote(m.t.Name)
	if m.place == Temp {
		name = "main." + name
	}
	if m.ambiguous() {
		name += " AS _tm_x"
	}
	return name
}

// prefix is how that table's columns are named.
func (m maker) prefix() string {
	if m.ambiguous() {
		return "_tm_x."
	}
	return lite.Quote(m.t.Name) + "."
}

func (m maker) ambiguous() bool {
	return strings.EqualFold(m.t.Name, "NEW") || strings.EqualFold(m.t.Name, "OLD")
}

func (m maker) column(c int) string { return lite.Quote(m.t.Columns[c].Name) }

// kindInserted ends the name of the trigger whose place among the app's matters.
const kindInserted = "ins"

// inserted is the one trigger that looks back after the write, because before
// it an automatic rowid is not known.
func (m maker) inserted() trigger {
	return m.named(kindInserted, "AFTER INSERT", "", m.always(record{op: opAbsent, row: "NEW.", timed: m.timed})...)
}

func (m maker) deleted() trigger {
	return m.named("del", "BEFORE DELETE", "", m.always(m.image(opDelete, "OLD.")...)...)
}

// updated records the old values of the group's columns that change. Group 0
// does so for every update, so that each leaves a trace of its key.
func (m maker) updated(g int) trigger {
	cols := m.lay.group(g)
	bits, olds := []string{}, []string{}
	for i, c := range cols {
		bits = append(bits, fmt.Sprintf("((%s) << %d)", m.changes(c), i))
		olds = append(olds, "CASE WHEN "+m.changes(c)+" THEN OLD."+m.column(c)+" END")
	}
	if len(cols) == 0 {
		bits = []string{"0"}
	}
	r := record{op: opPart, row: "OLD.", group: g, mask: strings.Join(bits, " | "), cells: olds, timed: m.timed && g == 0}
	event, when := "BEFORE UPDATE", ""
	if g > 0 {
		event += " OF " + m.list(cols)
		when = m.anyChanges(cols)
	}
	return m.named("upd_"+strconv.Itoa(g), event, when, m.always(r)...)
}

// keyChanging records the whole row that moves and what is where it goes.
func (m maker) keyChanging() trigger {
	there := m.matchNew()
	steps := m.always(m.image(opImage, "OLD.")...)
	steps = append(steps, m.imageWhere(there)...)
	steps = append(steps, m.from("WHERE NOT EXISTS (SELECT 1 FROM "+m.table()+" WHERE "+there+")", record{op: opVacant, coming: true})...)
	return m.named("key", "BEFORE UPDATE OF "+m.list(m.t.Key), m.anyChanges(m.t.Key), steps...)
}

// keyChanged records that the move happened.
func (m maker) keyChanged() trigger {
	steps := m.always(record{op: opFrom, row: "OLD."}, record{op: opTo, row: "NEW."})
	return m.named("move", "AFTER UPDATE OF "+m.list(m.t.Key), m.anyChanges(m.t.Key), steps...)
}

// refusals are the triggers of a copy that nobody may write.
func (m maker) refusals() []trigger {
	var out []trigger
	for _, event := range []string{"INSERT", "UPDATE", "DELETE"} {
		out = append(out, m.named("ro_"+strings.ToLower(event[:3]), "BEFORE "+event, "",
			"SELECT RAISE(ABORT, 'this copy is read-only: make a writable clone to change it')"))
	}
	return out
}

// changes is the condition that column c changes. It may hold for a value that
// stays the same, netting drops that; it never fails to hold for one that
// changes. IS NOT tells apart all that differ as values; what it takes for
// equal and is not depends on what the column can hold: -2^63 as integer and
// as real in a numeric column; 1 and 1.0, 0.0 and -0.0 where nothing is
// converted.
func (m maker) changes(c int) string {
	q := m.column(c)
	differ := "OLD." + q + " IS NOT NEW." + q + " COLLATE BINARY"
	if m.t.RowidAlias && m.t.Key[0] == c {
		return "OLD." + q + " IS NOT NEW." + q
	}
	switch m.t.Columns[c].Affinity {
	case tidemark.AffinityText, tidemark.AffinityReal:
		return differ
	case tidemark.AffinityBlob:
		return differ + " OR OLD." + q + " IS 0 OR typeof(OLD." + q + ") <> typeof(NEW." + q + ")"
	}
	return differ + " OR OLD." + q + " IS -9223372036854775808"
}

// anyChanges joins the conditions of many columns, in a balanced way since
// SQLite bounds the depth of an expression.
func (m maker) anyChanges(cols []int) string {
	if len(cols) == 1 {
		return "(" + m.changes(cols[0]) + ")"
	}
	half := len(cols) / 2
	return "(" + m.anyChanges(cols[:half]) + " OR " + m.anyChanges(cols[half:]) + ")"
}

func (m maker) list(cols []int) string {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = m.column(c)
	}
	return strings.Join(names, ", ")
}

// matchNew is the condition that a row of the table has the key that NEW will have.
func (m maker) matchNew() string { return m.matchKey(m.newValue) }

// matchOld is the condition that a row of the table is OLD.
func (m maker) matchOld() string {
	return m.matchKey(func(c int) string { return "OLD." + m.column(c) })
}

func (m maker) matchKey(value func(c int) string) string {
	parts := make([]string, len(m.t.Key))
	for i, c := range m.t.Key {
		parts[i] = m.prefix() + m.column(c) + " = " + value(c)
	}
	return strings.Join(parts, " AND ")
}

// newValue is the value that NEW will have in a column: OR REPLACE puts the
// default where NULL is not allowed, after the triggers that look before.
func (m maker) newValue(c int) string {
	col := m.t.Columns[c]
	v := "NEW." + m.column(c)
	if col.NotNull && col.Default != "" && !(m.t.RowidAlias && m.t.Key[0] == c) {
		v = "coalesce(" + v + ", " + col.Default + ")"
	}
	return v
}
