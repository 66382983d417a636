package sim

import (
	"fmt"
	"math"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// view is what a device shows of itself at one moment.
type view struct {
	state   oracle.State
	status  replica.Status
	hello   *wire.Hello
	pending []replica.Pending
	pushes  []*wire.Push
}

// observe looks at a device's file whenever something was written into it, and
// checks what must hold in every state.
func (d *device) observe() {
	if d.disk.Writes() == d.seenAt && len(d.unsealed) == 0 {
		return
	}
	v := d.look()
	if d.host.Dead() {
		return
	}
	d.seenAt = d.disk.Writes()
	d.w.stats.Checks++
	d.named = v.hello.Replica != ""
	d.wishes(v)
	d.shrunk(v)
	d.match(v)
	d.monotonic(v)
	d.complete(v)
	d.repair = v.status.Repair
	if d.repair != "" && !d.rotten && !d.w.rotted && !d.w.faults.frames && !d.w.ledger.rewound {
		d.w.fail("I13", "%s at seq %d finds that it differs, though nobody touched it: %s", d.name, v.hello.Seq, d.repair)
	}
	if v.hello.Term == "" || d.rotten || d.repair != "" || d.w.faults.frames {
		// It compares itself with the server, or must some day, because messages
		// reach it in an order that no session has. What it shows is judged later.
		return
	}
	d.compare(v)
}

func (d *device) look() *view {
	v := &view{state: d.state()}
	var err error
	v.status, err = d.r.Status()
	d.w.must(err, d.name+": status")
	v.hello, err = d.r.Hello()
	d.w.must(err, d.name+": hello")
	v.pending, err = d.r.Pending(true)
	d.w.must(err, d.name+": pending")
	v.pushes, err = d.r.Unsent(0, math.MaxInt32)
	d.w.must(err, d.name+": unsent")
	if len(v.pending) != len(v.pushes) {
		d.w.fail("I6", "%s has %d pending changesets and %d to send", d.name, len(v.pending), len(v.pushes))
	}
	return v
}

// match finds out which commits became which changesets.
func (d *device) match(v *view) {
	l := d.w.ledger
	var fresh []int
	for i, p := range v.pushes {
		c := l.bySalt[p.Salt]
		if c == nil || c.hash == (tidemark.Hash{}) {
			fresh = append(fresh, i)
		}
	}
	if v.status.Unsealed {
		if len(fresh) > 0 {
			d.w.fail("I1", "%s sealed a part of what was captured", d.name)
		}
		return
	}
	groups := d.groups()
	if len(groups) != len(fresh) {
		d.w.fail("I1", "%s committed %d changesets and sealed %d", d.name, len(groups), len(fresh))
	}
	for i, c := range groups {
		at := fresh[i]
		body, err := wire.DecodeChanges(v.pushes[at].Body)
		d.w.must(err, d.name+": reading a pending changeset")
		c.sealed = named(d.r.Schema(), body)
		d.sameContent(c, d.meant(c))
		if c.own && c.salt != (tidemark.Salt{}) && c.salt != v.pushes[at].Salt {
			d.w.fail("I1", "%s: changeset %d was sealed with another's salt", d.name, c.id)
		}
		l.sealed(c, v.pushes[at])
		c.before, c.after = nil, nil
		d.mine = append(d.mine, c)
	}
	d.unsealed = nil
}

// groups nets what was committed since the last sealing: a transaction of the
// library's is a changeset, what others wrote in between is one together.
// What changed nothing in the end is none.
func (d *device) groups() []*local {
	var out []*local
	var run *local
	flush := func() {
		if run != nil && !equal(run.before, run.after) {
			out = append(out, run)
		}
		run = nil
	}
	for _, c := range d.unsealed {
		switch {
		case c.own:
			flush()
			run = c
			flush()
		case run == nil:
			run = c
		default:
			run.after = c.after
			run.poison = run.poison || c.poison
			c.before, c.after, c.merged = nil, nil, run
		}
	}
	flush()
	return out
}

// meant fills in what the updates of a sealed changeset saw and made, as the
// app had it: where an edit stands for a value, the value is left out.
func (d *device) meant(c *local) []oracle.Change {
	out := slices.Clone(c.sealed)
	for i := range out {
		ch := &out[i]
		if ch.Op != tidemark.Update {
			continue
		}
		t := d.w.model.Table(ch.Table)
		before := c.before[ch.Table][t.KeyOf(ch.Key)]
		to := slices.Clone(ch.Key)
		for j, col := range ch.Cols {
			if k := slices.Index(t.Key, col); k >= 0 {
				to[k] = ch.New[j]
			}
		}
		after := c.after[ch.Table][t.KeyOf(to)]
		if before == nil || after == nil {
			d.w.fail("I1", "%s: changeset %d updates a row that is not there: %v", d.name, c.id, *ch)
		}
		ch.New, ch.Old = make([]tidemark.Value, len(ch.Cols)), make([]tidemark.Value, len(ch.Cols))
		for j, col := range ch.Cols {
			ch.Old[j], ch.New[j] = before[col], after[col]
		}
	}
	return out
}

// sameContent checks that a sealed changeset is exactly what was committed.
func (d *device) sameContent(c *local, changes []oracle.Change) {
	m := d.w.model
	after, fits := m.Apply(c.before, changes)
	if !fits || !equal(after, c.after) {
		d.w.fail("I1", "%s: changeset %d was captured wrong:\n%s\nsealed: %v", d.name, c.id, oracle.Diff(c.after, after, 8), changes)
	}
	for _, ch := range changes {
		if ch.Op != tidemark.Update {
			continue
		}
		t := m.Table(ch.Table)
		row := c.before[ch.Table][t.KeyOf(ch.Key)]
		for i, col := range ch.Cols {
			if row[col] == ch.New[i] && len(t.Groups) == 0 {
				d.w.fail("I14", "%s: changeset %d sets a value that did not change: %v", d.name, c.id, ch)
			}
		}
	}
	c.changes = changes
}

// monotonic checks that the checkpoint never goes back within one history.
func (d *device) monotonic(v *view) {
	w := d.w
	line := w.ledger.terms[v.hello.Term]
	if v.hello.Term != "" && line == nil {
		w.fail("I18", "%s holds a term that no server ever had", d.name)
	}
	if line != nil && line == d.line && v.hello.Seq < d.seq {
		w.fail("I9", "%s went back from seq %d to %d", d.name, d.seq, v.hello.Seq)
	}
	if line != nil && v.hello.Seq > line.head() {
		w.fail("I9", "%s is at seq %d, the log ends at %d", d.name, v.hello.Seq, line.head())
	}
	d.term, d.seq, d.line = v.hello.Term, v.hello.Seq, line
	if v.status.Seq != v.hello.Seq {
		w.fail("I9", "%s says it is at seq %d and at seq %d", d.name, v.status.Seq, v.hello.Seq)
	}
}

// complete checks that every changeset is pending or has its outcome, and that
// it left pending only with the rows that confirm it.
func (d *device) complete(v *view) {
	held := map[*local]bool{}
	for _, p := range v.pushes {
		held[d.w.ledger.bySalt[p.Salt]] = true
	}
	still := d.mine[:0:0]
	for _, c := range d.mine {
		if held[c] {
			still = append(still, c)
			continue
		}
		d.settled(c)
	}
	d.mine = still
}

func (d *device) settled(c *local) {
	w := d.w
	switch {
	case c.undone:
	case c.outcome == nil:
		w.fail("I1", "%s: changeset %d is gone, and the server has no outcome", d.name, c.id)
	case d.term != "" && c.outcome.Seq > d.seq:
		w.fail("I8", "%s: changeset %d (%s@%d) left pending at seq %d", d.name, c.id, c.outcome.Kind, c.outcome.Seq, d.seq)
	}
	if c.outcome != nil {
		d.renumbered = append(d.renumbered, c.outcome.Renumbered...)
	}
	if c.outcome != nil && c.outcome.Kind == tidemark.Rejected {
		d.keptAsRejected(c)
	}
}

// keptAsRejected checks that a rejected changeset can still be read.
func (d *device) keptAsRejected(c *local) {
	list, err := d.r.Rejected()
	d.w.must(err, d.name+": rejected")
	for _, r := range list {
		if r.Code == c.outcome.Code && c.numbered(r.N) && sameChanges(named(d.r.Schema(), r.Changes), d.follow(c, c.sealed)) {
			d.kept[c] = r.ID
			return
		}
	}
	text := ""
	for _, r := range list {
		text += fmt.Sprintf("\n%d %s %v", r.N, r.Code, named(d.r.Schema(), r.Changes))
	}
	d.w.fail("I6", "%s: changeset %d was rejected (%s) and is not kept: %v %v\n%s", d.name, c.id, c.outcome.Code, c.names, c.sealed, text)
}

// numbered reports whether a changeset ever had a number.
func (c *local) numbered(n int64) bool {
	return slices.Contains(c.earlier, n) || slices.ContainsFunc(c.names, func(name tidemark.Name) bool { return name.N == n })
}

func sameChanges(a, b []oracle.Change) bool {
	return slices.EqualFunc(a, b, func(x, y oracle.Change) bool { return x.String() == y.String() })
}

// compare checks that what the device shows is its confirmed state at one seq
// with what fits of its pending changesets on top.
func (d *device) compare(v *view) {
	w := d.w
	confirmed := d.confirmed(d.line.at(d.seq), d.held)
	want, poison := confirmed, false
	for i, p := range v.pending {
		c := w.ledger.bySalt[v.pushes[i].Salt]
		if p.Suspended {
			if p.Cause == "" {
				w.fail("I8", "%s suspended changeset %d without a cause", d.name, c.id)
			}
			continue
		}
		next, fits := w.model.Apply(want, d.followed(c))
		if !fits {
			w.fail("I7", "%s shows changeset %d, which does not fit:\n%v", d.name, c.id, c.changes)
		}
		want, poison = next, poison || c.poison
	}
	if len(d.unsealed) > 0 {
		return // the app wrote meanwhile; the next look will tell
	}
	want = d.unforetold(v, want)
	if text := oracle.Diff(want, v.state, 8); text != "" {
		w.fail("I7", "%s at seq %d with %d pending shows what it should not:\n%s\n%s", d.name, d.seq, len(v.pending), text, d.describe(v))
	}
	if !poison {
		d.consistent(confirmed, v.state)
	}
}

// followed is what a pending changeset means after rows of earlier ones got other keys.
func (d *device) followed(c *local) []oracle.Change { return d.follow(c, c.changes) }

func (d *device) follow(c *local, changes []oracle.Change) []oracle.Change {
	keys := oracle.Keys{}
	for _, r := range d.renumbered {
		if c.seen < r.Before {
			keys.Add(r.Table, r.From, r.To)
		}
	}
	return d.w.model.Follow(changes, keys)
}

// unforetold takes what the device shows in the cells of pending changesets
// whose policy makes it foretell the server's answer: which, the server's own
// answer will tell.
func (d *device) unforetold(v *view, want oracle.State) oracle.State {
	for i, p := range v.pending {
		if p.Suspended {
			continue
		}
		for _, ch := range d.followed(d.w.ledger.bySalt[v.pushes[i].Salt]) {
			want = take(d.w.model.Table(ch.Table), ch, want, v.state)
		}
	}
	return want
}

func take(t *oracle.Table, ch oracle.Change, want, shown oracle.State) oracle.State {
	key := t.KeyOf(ch.Key)
	if t.UpdateWins || t.MergeInserts {
		want = want.Clone()
		delete(want[t.Name], key)
		if row, there := shown[t.Name][key]; there {
			want[t.Name][key] = row
		}
		return want
	}
	row, there := want[t.Name][key]
	got, shows := shown[t.Name][key]
	if !there || !shows || len(t.Policy) == 0 {
		return want
	}
	row = slices.Clone(row)
	for _, col := range ch.Cols {
		if t.Policy[col] != "" {
			row[col] = got[col]
		}
	}
	want = want.Clone()
	want[t.Name][key] = row
	return want
}

// consistent checks constraints and half changesets in what a device shows.
func (d *device) consistent(confirmed, shown oracle.State) {
	broken := slices.DeleteFunc(d.w.model.Held().Violations(confirmed, shown), func(c tidemark.Code) bool {
		return c == tidemark.CodeRaised // triggers guard the origin and the server, see package schema
	})
	if len(broken) > 0 {
		d.w.fail("I15", "%s shows rows that break %v at seq %d", d.name, broken, d.seq)
	}
	if text := d.w.work.invariant(shown); text != "" && !d.w.rotted {
		d.w.fail("I5", "%s: %s", d.name, text)
	}
}

// describe lists what is pending, for messages.
func (d *device) describe(v *view) string {
	text := "pending:"
	for i, p := range v.pending {
		c := d.w.ledger.bySalt[v.pushes[i].Salt]
		text += fmt.Sprintf("\n  %d, changeset %d, suspended %v %s: %.400v", p.N, c.id, p.Suspended, p.Cause, c.changes)
	}
	return text
}
