package sim

import (
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// record is a row of tm_conflicts, as far as the oracle foretells it.
func record(table, key string, column, winner string) string {
	return strings.Join([]string{table, key, column, winner}, " ")
}

// checkRecords makes sure that every value that was thrown away is recorded
// in the same changeset, and nothing else is.
func (l *ledger) checkRecords(s *server, e tidemark.LogEntry, losers []oracle.Loser) {
	var want []string
	for _, o := range losers {
		t := l.w.model.Table(o.Table)
		if t.Quiet || o.Unit || o.Policy == "manual" || o.Policy == "json" {
			continue // units name what they please, and manual adds to what is open
		}
		column := ""
		if o.Column >= 0 {
			column = t.Columns[o.Column]
		}
		want = append(want, record(o.Table, o.Key, column, o.Winner))
	}
	got := l.recordsIn(s, e)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		l.w.fail("I6", "seq %d: changeset %s/%d threw away\n%q, recorded is\n%q\nit did %v", e.Seq, e.Name.Replica, e.Name.N, want, got, l.byHash[e.Name.Hash].changes)
	}
}

func (l *ledger) recordsIn(s *server, e tidemark.LogEntry) (got []string) {
	sc := s.hub.Schema()
	for _, c := range e.Effects {
		table := sc.Table(c.Table)
		if table == nil || table.Name != tidemark.ConflictsTable || c.Op != tidemark.Insert {
			continue
		}
		field := func(name string) string {
			for i := range table.Columns {
				if table.Columns[i].Name == name {
					return c.New[i].Str()
				}
			}
			return ""
		}
		switch tidemark.Policy(field("policy")) {
		case tidemark.PolicyManual, tidemark.PolicyLatestEdit, tidemark.PolicySet, tidemark.PolicyText, tidemark.PolicyJSON:
			continue
		}
		if field("unit") != "" {
			continue
		}
		t := l.w.model.Table(field("tbl"))
		got = append(got, record(t.Name, t.KeyOf(keyFrom(field("row"))), field("col"), field("winner")))
	}
	return got
}

// speak notes of which rows the records of conflicts in an entry speak.
func (l *ledger) speak(s *server, e tidemark.LogEntry) {
	for _, c := range e.Effects {
		table := s.hub.Schema().Table(c.Table)
		if table == nil || table.Name != tidemark.ConflictsTable || c.Op != tidemark.Insert {
			continue
		}
		if t := l.w.model.Table(c.New[table.Place("tbl")].Str()); t != nil {
			l.w.secrets.speak(rowName{t.Name, t.KeyOf(keyFrom(c.New[table.Place("row")].Str()))}, c.New)
		}
	}
}

// keyFrom reads a key as tm_conflicts has it.
func keyFrom(row string) []tidemark.Value {
	key, _ := wire.DecodeValues([]byte(row))
	return key
}
