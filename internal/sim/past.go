package sim

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// stamp says who wrote a cell last, and at which seq.
type stamp struct {
	seq    tidemark.Seq
	writer string
}

// rowName names a row of the model.
type rowName struct{ table, key string }

// writers keeps the stamps of all cells, who made each row, and the rows that are gone.
type writers struct {
	cells  map[rowName][]stamp
	made   map[rowName]stamp
	buried map[rowName]burial
}

// burial is a row that is gone.
type burial struct {
	row oracle.Row
	seq tidemark.Seq
}

// note books the step from one state to the next.
func (ws *writers) note(before, after oracle.State, by stamp) {
	for table, rows := range after {
		for key, row := range rows {
			old, was := before[table][key]
			if was && slices.Equal(old, row) {
				continue
			}
			name := rowName{table, key}
			cells := ws.cells[name]
			if !was {
				cells, ws.made[name] = nil, by
			}
			cells = append(cells, make([]stamp, max(0, len(row)-len(cells)))...)
			for c := range row {
				if !was || c < len(old) && old[c] != row[c] {
					cells[c] = by // a column that is new was written by nobody
				}
			}
			ws.cells[name] = cells
		}
	}
	for table, rows := range before {
		for key, row := range rows {
			if _, still := after[table][key]; !still {
				ws.buried[rowName{table, key}] = burial{row, by.seq}
			}
		}
	}
}

// past is what one changeset's author had not seen.
type past struct {
	h    *history
	seen tidemark.Seq
	l    *ledger

	owner  string          // whose replica it is
	judged string          // the name under which it was judged
	own    map[string]bool // names of the author's replica

	refused map[rowName]tidemark.Seq // rows that its rejected changesets would have made
}

func (p past) Concurrent(table, key string, columns []int) bool {
	var last stamp
	cells := p.h.writers.cells[rowName{table, key}]
	for _, c := range columns {
		if c < len(cells) && cells[c].seq >= last.seq {
			last = cells[c]
		}
	}
	return p.behind(last)
}

func (p past) Touched(table, key string) bool {
	return slices.ContainsFunc(p.h.writers.cells[rowName{table, key}], p.behind)
}

func (p past) behind(s stamp) bool { return s.seq > p.seen && !p.stamped(s) }

func (p past) Strange(table, key string) bool {
	if p.l.loose() {
		return false
	}
	by := p.h.writers.made[rowName{table, key}]
	return p.behind(by)
}

func (p past) Refused(table, key string) bool {
	name := rowName{table, key}
	at, was := p.refused[name]
	if was && p.unseen(name) {
		return true // what his refused changeset would have made is all that he can mean
	}
	made, ever := p.h.writers.made[name]
	if _, there := p.h.at(p.h.head())[table][key]; there {
		return was && p.behind(made)
	}
	return was && p.h.at(p.seen)[table][key] == nil && !(ever && p.stamped(made) && made.seq > at)
}

// Buried knows no row that was gone when the author looked: what he changed was
// a prediction that did not come true.
func (p past) Buried(table, key string) oracle.Row {
	if b := p.h.writers.buried[rowName{table, key}]; b.seq > p.seen {
		return b.row
	}
	return nil
}

func (p past) Seen(table, key string) oracle.Row { return p.h.at(p.seen)[table][key] }

// unseen reports whether the author may not see a row, or never saw it go.
func (p past) unseen(name rowName) bool {
	m := p.h.told.model
	if !m.Scoped() {
		return false
	}
	s := p.h.at(p.h.head())
	in := p.h.in[name]
	if _, there := s[name.table][name.key]; !there && in == nil {
		return true
	}
	granted := m.Granted(s, p.owner)
	return !slices.ContainsFunc(in, func(scope string) bool { return slices.Contains(granted, scope) })
}

func (p past) Went(table, key string) []string { return p.h.in[rowName{table, key}] }

// stamped reports whether the author made the changeset that left a stamp: its
// replica did, or knows the outcome of it by a name that it got later.
func (p past) stamped(s stamp) bool {
	if s.writer == p.judged {
		return true
	}
	c := p.l.byHash[p.h.log[s.seq]]
	return c != nil && slices.ContainsFunc(c.names, func(n tidemark.Name) bool { return n.Replica == p.judged })
}

// loose reports whether it is hard to tell who an author was and what it had
// seen: copies were made, the server went back, or messages went astray.
func (l *ledger) loose() bool { return l.forked || l.rewound || l.w.faults.frames }

// pastOf is the past of a changeset that was judged under a name.
func (l *ledger) pastOf(c *local, judged string) past {
	own := map[string]bool{judged: true, c.was[judged]: true}
	return past{h: l.now, seen: c.seen, l: l, owner: c.device.owner, judged: judged, own: own, refused: l.refused[judged]}
}

// refuse notes the rows that a rejected changeset would have made, and the
// texts that it edited.
func (l *ledger) refuse(c *local, by string) {
	l.eachText(c, func(cell string) { l.broken[cell] = true })
	if l.refused[by] == nil {
		l.refused[by] = map[rowName]tidemark.Seq{}
	}
	for _, ch := range l.follow(c, map[string]bool{by: true, c.was[by]: true}, nil) {
		t := l.w.model.Table(ch.Table)
		to := slices.Clone(ch.Key)
		for k, col := range t.Key {
			if i := slices.Index(ch.Cols, col); i >= 0 {
				to[k] = ch.New[i]
			}
		}
		if ch.Op == tidemark.Insert || ch.Op == tidemark.Update && t.KeyOf(to) != t.KeyOf(ch.Key) {
			l.refused[by][rowName{t.Name, t.KeyOf(to)}] = l.now.head()
		}
	}
}

// choose takes over what the server made of the cells that the oracle only
// judges. The effects say what it made of them.
func (l *ledger) choose(s *server, e tidemark.LogEntry, v oracle.Verdict) oracle.State {
	state := v.State
	for _, ch := range v.Choices {
		t := l.w.model.Table(ch.Table)
		got, changed := cellOf(s.hub.Schema(), t, e.Effects, ch, state[ch.Table][ch.Key][ch.Column])
		if !changed {
			got = state[ch.Table][ch.Key][ch.Column]
		}
		if err := ch.Judge(got); err != nil && !l.w.faults.frames && !l.rewound {
			l.w.fail("I14", "seq %d: %s column %d: %v", e.Seq, ch.Table, ch.Column, err)
		}
		state = state.Clone()
		row := slices.Clone(state[ch.Table][ch.Key])
		row[ch.Column] = got
		state[ch.Table][ch.Key] = row
	}
	return state
}

// cellOf finds what an effect makes of a cell.
func cellOf(sc *tidemark.Schema, t *oracle.Table, effects []tidemark.Change, ch oracle.Choice, now tidemark.Value) (tidemark.Value, bool) {
	for _, c := range effects {
		if table := sc.Table(c.Table); table == nil || table.Name != t.Name || t.KeyOf(c.Key) != ch.Key {
			continue
		}
		for i, col := range c.Cols {
			if col != ch.Column {
				continue
			}
			if ed := c.EditOf(i); ed.Kind == tidemark.EditText {
				return spliced(now, ed.Body), true
			}
			return c.New[i], true
		}
		if c.Op == tidemark.Insert {
			return c.New[ch.Column], true
		}
	}
	return tidemark.Null, false
}

// effected is what effects did, with values where they hold edits.
func (l *ledger) effected(sc *tidemark.Schema, effects []tidemark.Change) []oracle.Change {
	out := named(sc, effects)
	now := l.now.at(l.now.head())
	for i := range effects {
		c := &effects[i]
		table := sc.Table(c.Table)
		if table == nil || len(c.Edits) == 0 || l.w.model.Table(table.Name) == nil {
			continue
		}
		t := l.w.model.Table(table.Name)
		for j, col := range c.Cols {
			if ed := c.EditOf(j); ed.Kind == tidemark.EditText {
				named := &out[slices.IndexFunc(out, func(o oracle.Change) bool { return o.Table == t.Name && t.KeyOf(o.Key) == t.KeyOf(c.Key) })]
				named.New = slices.Clone(named.New)
				named.New[j] = spliced(now[t.Name][t.KeyOf(c.Key)][col], ed.Body)
			}
		}
	}
	return out
}

// spliced puts the splices of an edit on a text, from the last to the first.
func spliced(now tidemark.Value, body string) tidemark.Value {
	var doc struct{ S [][]any }
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		return tidemark.Text(fmt.Sprintf("unreadable splices %s: %v", body, err))
	}
	text := []rune(now.Str())
	for _, sp := range slices.Backward(doc.S) {
		at, gone := int(sp[0].(float64)), int(sp[1].(float64))
		in, _ := sp[2].(string)
		text = slices.Concat(text[:at:at], []rune(in), text[at+gone:])
	}
	return tidemark.Text(string(text))
}
