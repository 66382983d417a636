package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// hiddenTables is what nobody but p9 may read: it is there in both runs.
const hiddenTables = `
	INSERT INTO org VALUES (9, '$hiddeorg');
	INSERT INTO member VALUES (9, 'p9', 'lead');
	INSERT INTO project VALUES (101, 9, '$hiddenpa'), (102, 9, '$hiddenpb'), (103, NULL, '$hiddenpc');
	INSERT INTO task VALUES ('x1', 101, 1, NULL, '$hiddenta', 0), ('x2', 102, NULL, 't1', '$hiddentb', 0);
	INSERT INTO remark VALUES ('y1', 'x1', '$hiddenra');`

// scene is one thing that happens in both runs, and what happens beside it in
// one of them.
type scene struct {
	shell  []string // written into the served file, in one transaction
	device []string // written on the device
	cut    bool     // the device loses its connection
	verify bool

	with   []string // in the same transaction as shell, before it
	behind []string // in one of its own, behind it
}

// scenes writes a play: p1 may read projects 1 to 4 and what is his.
func scenes(r *rand.Rand) (list []scene) {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	seen := func() string { return fmt.Sprint(1 + r.IntN(4)) }
	unseen := func() string { return fmt.Sprint(101 + r.IntN(3)) }
	tasks := []string{"t1", "t2", "t3", "t4"} // nothing refers to others than the first
	task := func() string { return pick(tasks...) }
	text := func(i int) string { return fmt.Sprintf("'$%c%c%caaaaa'", 'a'+i/676%26, 'a'+i/26%26, 'a'+i%26) }
	for i := range 60 {
		var s scene
		switch r.IntN(12) {
		case 0, 1:
			s.shell = []string{"UPDATE task SET title = " + text(i) + " WHERE id = '" + task() + "' AND project < 100"}
		case 2:
			s.shell = []string{"UPDATE task SET project = " + seen() + " WHERE id = '" + task() + "' AND project < 100"}
		case 3: // never to come back
			s.shell = []string{"UPDATE task SET project = " + unseen() + " WHERE id = '" + pick(tasks[1:]...) + "'"}
		case 4:
			s.shell = []string{"DELETE FROM task WHERE id = '" + pick(tasks[1:]...) + "' AND project < 100"}
		case 5:
			tasks = append(tasks, fmt.Sprintf("n%d", i))
			s.shell = []string{fmt.Sprintf("INSERT INTO task (id, project, title) VALUES ('n%d', %s, %s)", i, seen(), text(i))}
		case 6:
			s.shell = []string{"DELETE FROM guest WHERE project = 5 AND person = 'p1'"}
			if r.IntN(2) == 0 {
				s.shell = []string{"INSERT OR IGNORE INTO guest VALUES (5, 'p1')"}
			}
		case 7:
			s.shell = []string{"UPDATE label SET name = " + text(i) + " WHERE id = 1"}
		case 8, 9:
			s.device = []string{fmt.Sprintf("INSERT INTO task (id, project, title) SELECT 'own%d', id, %s FROM project ORDER BY id LIMIT 1", i, text(i))}
		case 10:
			s.cut = true
		case 11:
			s.verify = r.IntN(3) == 0
		}
		hide := func() []string {
			return []string{
				pick("INSERT OR IGNORE INTO member VALUES (9, 'p8', 'hand')", "DELETE FROM member WHERE org = 9 AND person = 'p8'",
					"INSERT OR IGNORE INTO guest VALUES (103, 'p9')", "DELETE FROM guest WHERE project > 100"),
				pick("UPDATE task SET project = "+unseen()+" WHERE project > 100", "DELETE FROM task WHERE project > 100 AND id <> 'x1'",
					"UPDATE task SET title = "+text(i)+" WHERE project > 100", "UPDATE task SET parent = 't1' WHERE project > 100"),
				pick("INSERT OR IGNORE INTO hoard VALUES ("+text(i)+", "+text(i)+")", "INSERT OR IGNORE INTO audit VALUES ("+text(i)+", "+text(i)+")",
					"INSERT OR IGNORE INTO diary VALUES ("+text(i)+", 'p9', "+unseen()+", 1, "+text(i)+")", "UPDATE diary SET body = "+text(i)+" WHERE person = 'p9'"),
				pick("INSERT OR IGNORE INTO task (id, project, title) VALUES ("+text(i)+", "+unseen()+", "+text(i)+")", "INSERT OR IGNORE INTO remark VALUES ("+text(i)+", 'x1', "+text(i)+")",
					"UPDATE remark SET body = "+text(i)+" WHERE task = 'x1'", "UPDATE org SET name = "+text(i)+" WHERE id = 9"),
			}[:1+r.IntN(4)]
		}
		if with := hide(); len(s.shell) > 0 && r.IntN(2) == 0 {
			s.with = with
		}
		for range r.IntN(3) {
			s.behind = append(s.behind, hide()...)
		}
		list = append(list, s)
	}
	return list
}

// play runs the scenes, with or without what is hidden, and returns what the
// device received, without what tells of seqs, terms and times.
func play(t *testing.T, seed uint64, hidden bool) []string {
	w := newWorld(Options{Seed: seed, Workload: "W8 scopes", Calm: true})
	defer w.close()
	defer func() {
		if p := recover(); p != nil {
			t.Fatal(w.caught(p))
		}
	}()
	w.calm, w.faults.plain = true, 0
	var heard []string
	w.spy = func(_ *link, m wire.Down) {
		if b, is := m.(*wire.Batch); !is || len(b.Parts) > 0 || b.More {
			heard = append(heard, bare(m)) // an empty one tells of a seq and nothing else
		}
	}
	w.server = w.newServer()
	w.server.shellDoes(strings.Split(hiddenTables, ";\n")...)
	list := scenes(rand.New(rand.NewPCG(seed, 9)))
	if hidden {
		w.server.shellDoes(list[0].behind...)
	}
	d := w.bareDevice(1)
	d.wants = wants{}
	info, err := w.server.store.Snapshot(t.Context(), "snapshot.db")
	w.must(err, "making a snapshot")
	d.from(info)
	w.until(w.now + 2000)
	for _, s := range list {
		if hidden {
			s.shell = slices.Concat(s.with, s.shell)
		}
		w.server.shellDoes(s.shell...)
		if hidden {
			w.server.shellDoes(s.behind...)
		}
		switch {
		case s.cut:
			w.breakOne(d)
		case s.verify:
			d.step(replica.Verify{})
		case len(s.device) > 0:
			d.does(s.device...)
		}
		w.until(w.now + 700)
	}
	w.until(w.now + 10_000)
	return heard
}

// shellDoes writes into the served file and lets the server sequence it.
func (s *server) shellDoes(sql ...string) {
	if len(sql) == 0 {
		return
	}
	w := s.w
	before, err := dump(s.shell, w.model)
	w.must(err, "dumping the served file")
	err = s.shell.Transaction(func() error { return s.shell.Script(strings.Join(sql, ";")) })
	w.must(err, strings.Join(sql, ";"))
	s.foreignNext, err = dump(s.shell, w.model)
	w.must(err, "dumping the served file")
	s.foreignBefore = before
	s.group()
}

// does writes on a device as another program would.
func (d *device) does(sql ...string) {
	c := &local{device: d, before: d.state()}
	d.w.must(d.db.Transaction(func() error { return d.db.Script(strings.Join(sql, ";")) }), strings.Join(sql, ";"))
	c.after = d.state()
	if !equal(c.before, c.after) {
		d.committed(c)
	}
	d.step(replica.Local{})
}

// bare is a message without what may differ.
func bare(m wire.Down) string {
	switch x := m.(type) {
	case *wire.Welcome:
		c := *x
		c.Term, c.Ticket, c.Head, c.Time = "", "", 0, 0
		m = &c
	case *wire.Batch:
		c := *x
		c.From, c.To, c.Term = 0, 1, ""
		if c.Cursor != "" {
			c.Cursor = "c"
		}
		m = &c
	case *wire.Outcomes:
		c := wire.Outcomes{}
		for _, o := range x.List {
			o.Seq = 0
			c.List = append(c.List, o)
		}
		m = &c
	case *wire.Ranges:
		c := *x
		c.Seq = 0
		m = &c
	case *wire.Rows:
		c := *x
		c.Seq = 0
		m = &c
	}
	return fmt.Sprintf("%T %s", m, wire.AppendDown(nil, m))
}

// TestNonInterference is the other half of I21: what somebody may not see
// changes nothing in what he receives.
func TestNonInterference(t *testing.T) {
	seed := dice.Seed(t)
	for n := range uint64(dice.Times(3)) {
		without, with := play(t, seed+n, false), play(t, seed+n, true)
		for i := range max(len(without), len(with)) {
			if i >= len(without) || i >= len(with) || without[i] != with[i] {
				t.Fatalf("I21: with hidden rows message %d is\n%s\nwithout\n%s", i, at(with, i), at(without, i))
			}
		}
		if len(with) < 20 {
			t.Errorf("only %d messages were heard", len(with))
		}
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "(none)"
}
