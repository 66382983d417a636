package replica

import (
	"maps"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/splice"
)

// forecast predicts, while pending is put back on rows that others changed,
// what the server is going to make of it. The prediction is kept as the view of
// a pending changeset; what is sent of it stays, and the server's word replaces
// the prediction.
//
// It follows two histories of each row: what was, as readers saw it before,
// and the tables, which hold the new confirmed rows with the pending
// changesets on top that were put back so far.
type forecast struct {
	a    *attempt
	was  images
	met  map[rowID]map[int]bool // cells that others changed, and nothing of ours wrote over since
	gone map[rowID]bool         // rows that others deleted
	over map[cell]splice.Patch  // from what was to what is, where that is known
}

// cell is one column of a row.
type cell struct {
	row rowID
	col int
}

// foresee begins a forecast when the confirmed rows are in the tables.
func (a *attempt) foresee() error {
	f := &forecast{a: a, was: images{}, met: map[rowID]map[int]bool{}, gone: map[rowID]bool{}, over: a.over}
	for id, image := range a.old {
		if a.r.merging[id.t] != nil {
			f.was[id] = image
		}
	}
	if len(f.was) == 0 {
		return nil
	}
	expected := maps.Clone(f.was)
	for i := range a.settle {
		s := &a.settle[i]
		if s.o.Kind == tidemark.Rejected {
			continue
		}
		if err := f.a.r.unfold(s.p); err != nil {
			return err
		}
		f.play(expected, s.p.changes)
	}
	for id, image := range expected {
		t := synced(a.r.schema, id.t)
		if t == nil {
			continue
		}
		now, err := a.read(t, id)
		if err != nil {
			return err
		}
		f.compare(t, id, image, now)
	}
	a.forecast = f
	return nil
}

// compare notes what others did to a row.
func (f *forecast) compare(t *tidemark.Table, id rowID, expected, now []tidemark.Value) {
	if now == nil {
		f.gone[id] = expected != nil
		return
	}
	met := map[int]bool{}
	for c, v := range now {
		if c < len(expected) && expected[c] == v || c >= len(t.Columns) {
			continue
		}
		for _, other := range t.GroupOf(c) {
			met[other] = true
		}
	}
	if len(met) > 0 {
		f.met[id] = met
	}
}

// play puts changes on images, each row on what it held before. An edit that
// does not fit leaves its row.
func (f *forecast) play(rows images, changes []tidemark.Change) {
	after := images{}
	for i := range changes {
		c := &changes[i]
		t := synced(f.a.r.schema, c.Table)
		if t == nil || f.a.r.merging[c.Table] == nil || len(c.Cols) == 0 && c.Op == tidemark.Update {
			continue
		}
		ids := rowsOf(t, c)
		image, err := confirmedAfter(t, rows[ids[0]], c)
		if err != nil {
			continue
		}
		if len(ids) == 2 || image == nil {
			if _, arrived := after[ids[0]]; !arrived {
				after[ids[0]] = nil
			}
		}
		if image != nil {
			after[ids[len(ids)-1]] = image
		}
	}
	maps.Copy(rows, after)
}

// settled goes past a changeset that is not put back: it is in the confirmed
// rows now, or it was rejected.
func (f *forecast) settled(n int64) error {
	f.over = nil
	for i := range f.a.settle {
		p := f.a.settle[i].p
		if p.n != n {
			continue
		}
		if err := f.a.r.unfold(p); err != nil {
			return err
		}
		if f.a.settle[i].o.Kind == tidemark.Rejected {
			if err := f.a.r.anchorRejected(p, f.was); err != nil {
				return err
			}
		}
		if !p.suspended {
			f.play(f.was, p.changes)
		}
	}
	return nil
}

// adapt makes the view of a pending changeset what the server is going to make
// of it. A misfit says that the server is going to reject it.
func (f *forecast) adapt(p *record) (*misfit, error) {
	var revised []*revision
	for i := range p.changes {
		v, m, err := f.revise(&p.changes[i])
		if m != nil && !p.suspended {
			f.play(f.was, p.changes)
		}
		if err != nil || m != nil {
			return m, err
		}
		if v != nil && revised == nil {
			revised = make([]*revision, len(p.changes))
		}
		if v != nil {
			revised[i] = v
		}
	}
	before := p.changes
	if revised != nil {
		raw, changes := slices.Clone(p.raw), slices.Clone(p.changes)
		for i, v := range revised {
			if v != nil {
				raw[i], changes[i] = v.of(&raw[i]), v.of(&changes[i])
			}
		}
		if err := f.a.setView(p, raw); err != nil {
			return nil, err
		}
		p.changes = changes
	}
	f.written(p.changes)
	if !p.suspended {
		f.play(f.was, before)
	}
	return nil, nil
}

// written takes cells off the list that changes of ours now write over: our
// later ones are made on them.
func (f *forecast) written(changes []tidemark.Change) {
	for i := range changes {
		c := &changes[i]
		t := synced(f.a.r.schema, c.Table)
		if t == nil || f.a.r.merging[c.Table] == nil {
			continue
		}
		ids := rowsOf(t, c)
		if c.Op != tidemark.Update || len(ids) == 2 {
			for _, id := range ids {
				delete(f.met, id)
				delete(f.gone, id)
			}
			continue
		}
		for _, col := range c.Cols {
			delete(f.met[ids[0]], col)
		}
	}
}

// putBack tells whether the changeset that was adapted last is in the tables
// now. Patches that lead from what was to what is hold on only when both have it.
func (f *forecast) putBack(p *record, suspendedBefore bool) {
	if p.suspended || suspendedBefore {
		f.over = nil
	}
}
