package sim

import (
	"fmt"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// ruled are the rules of the tables that have some, as a server takes them. The
// oracle has the same ones as Go functions, see clubs.
func (w *world) ruled(*tidemark.Schema) (*tidemark.Rules, error) {
	if own := w.work.rules(); len(own) > 0 {
		return &tidemark.Rules{Public: true, Tables: own}, nil
	}
	if w.model.Table("club") == nil {
		return nil, nil
	}
	const (
		leads = "EXISTS (SELECT 1 FROM seat s WHERE s.club = %s.club AND s.who = :user AND s.role = 'lead')"
		sits  = "EXISTS (SELECT 1 FROM seat s WHERE s.club = %s.club AND s.who = :user)"
	)
	on := fmt.Sprintf
	return &tidemark.Rules{Public: true, Tables: []tidemark.TableRules{
		{
			Table: "club", Immutable: []string{"id", "boss"},
			Insert: "NEW.boss = :user",
			Update: "OLD.boss = :user",
			Delete: "OLD.boss = :user AND NOT EXISTS (SELECT 1 FROM seat s WHERE s.club = OLD.id)",
		},
		{
			Table: "seat", Immutable: []string{"club", "who"},
			Insert: on(leads, "NEW") + " OR EXISTS (SELECT 1 FROM club c WHERE c.id = NEW.club AND c.boss = :user)",
			Update: on(leads, "OLD"),
			Delete: "OLD.who = :user OR " + on(leads, "OLD"),
		},
		{
			Table: "job", Immutable: []string{"author"},
			Insert: "NEW.author = :user AND " + on(sits, "NEW"),
			Update: on(sits, "OLD") + " AND " + on(sits, "NEW"),
			Delete: "OLD.author = :user OR " + on(leads, "OLD"),
		},
		{
			Table: "post", Immutable: []string{"author"},
			Insert: "NEW.author = :user",
			Update: "OLD.author = :user",
			Delete: "OLD.author = :user",
		},
	}}, nil
}

// guardless says that copies check nothing by themselves, in every second world:
// what they would refuse shall reach the server, too.
func (w *world) guardless() bool { return w.opts.Seed%2 == 0 }

// principal is who a device belongs to, "" where nobody is asked.
func (d *device) principal() tidemark.Principal {
	return tidemark.Principal{ID: d.owner}
}

// holder is in whose name a device connects: sometimes somebody else has it in
// his hands, and signs in. The engine finds out and stops, until the owner is back.
func (d *device) holder() tidemark.Principal {
	if d.owner == "" || !d.named || d.w.calm || !d.w.chance(d.w.faults.hands) {
		return d.principal()
	}
	other := tidemark.Principal{ID: person(int(d.owner[1]-'0') + 1)}
	d.w.trace("%s is in the hands of %s", d.name, other.ID)
	d.w.after(d.w.between(1, 5000), d.wake)
	return other
}

// person is one of those to whom devices belong.
func person(n int) string { return fmt.Sprintf("p%d", n%3) }

// seats reports whether somebody has a seat in a club, in a role ("": any).
func seats(s oracle.State, club tidemark.Value, who, role string) bool {
	for _, r := range s["seat"] {
		if r[0] == club && r[1] == tidemark.Text(who) && (role == "" || r[2] == tidemark.Text(role)) {
			return true
		}
	}
	return false
}

// clubs: people who may write only what the rules let them.
func clubs() *family {
	return &family{
		title: "club",
		sql: `CREATE TABLE club (id TEXT PRIMARY KEY NOT NULL, boss TEXT, name TEXT);
			CREATE TABLE seat (club TEXT NOT NULL, who TEXT NOT NULL, role TEXT, PRIMARY KEY (club, who)) WITHOUT ROWID;
			CREATE TABLE job (id TEXT PRIMARY KEY NOT NULL, club TEXT, author TEXT, title TEXT, votes INTEGER NOT NULL);
			CREATE TABLE post (id TEXT PRIMARY KEY NOT NULL, author TEXT, body TEXT, job TEXT REFERENCES job (id) ON DELETE CASCADE, rival TEXT REFERENCES job (id) ON DELETE SET NULL);
			INSERT INTO club VALUES ('a', 'p0', 'A'), ('b', 'p1', 'B'), ('c', 'p2', 'C');
			INSERT INTO seat VALUES ('a', 'p0', 'lead'), ('a', 'p1', 'hand'), ('b', 'p1', 'lead'), ('b', 'p2', 'hand'), ('c', 'p2', 'lead'), ('c', 'p0', 'hand'), ('c', 'p1', 'lead');
			INSERT INTO job VALUES ('j', 'a', 'p0', 'j', 0), ('k', 'b', 'p2', 'k', 0), ('l', 'c', 'p1', 'l', 0);`,
		tables: []*oracle.Table{
			{Name: "club", Columns: col("id boss name"), Key: []int{0}, NotNull: []int{0}, Rule: mayClub},
			{Name: "seat", Columns: col("club who role"), Key: []int{0, 1}, NotNull: []int{0, 1}, Rule: maySeat},
			{Name: "job", Columns: col("id club author title votes"), Key: []int{0}, NotNull: []int{0, 4}, Policy: map[int]string{4: "counter"}, Rule: mayJob},
			{Name: "post", Columns: col("id author body job rival"), Key: []int{0}, NotNull: []int{0}, Rule: mayPost, Refs: []oracle.Ref{
				{Columns: []int{3}, Parent: "job", To: []int{0}, OnDelete: oracle.Cascade},
				{Columns: []int{4}, Parent: "job", To: []int{0}, OnDelete: oracle.SetNull},
			}},
		},
		ops: clubOps(),
		spoils: []op{
			func(g *gen) error { return g.with(anyJob, "UPDATE job SET author = 'forged' WHERE id = ?1") },
			func(g *gen) error { return g.with(anyClub, "INSERT OR IGNORE INTO seat VALUES (?1, 'px', 'lead')") },
		},
	}
}

// keeps reports whether columns are what they were.
func keeps(old, row oracle.Row, cols ...int) bool {
	return !slices.ContainsFunc(cols, func(c int) bool { return old[c] != row[c] })
}

func mayClub(by string, s oracle.State, old, row oracle.Row) bool {
	me := tidemark.Text(by)
	switch {
	case old == nil:
		return row[1] == me
	case row == nil:
		for _, r := range s["seat"] {
			if r[0] == old[0] {
				return false
			}
		}
		return old[1] == me
	}
	return old[1] == me && keeps(old, row, 0, 1)
}

func maySeat(by string, s oracle.State, old, row oracle.Row) bool {
	switch {
	case old == nil:
		return seats(s, row[0], by, "lead") || valueOf(s, "club", row[0], 1) == tidemark.Text(by)
	case row == nil:
		return old[1] == tidemark.Text(by) || seats(s, old[0], by, "lead")
	}
	return seats(s, old[0], by, "lead") && keeps(old, row, 0, 1)
}

func mayJob(by string, s oracle.State, old, row oracle.Row) bool {
	switch {
	case old == nil:
		return row[2] == tidemark.Text(by) && seats(s, row[1], by, "")
	case row == nil:
		return old[2] == tidemark.Text(by) || seats(s, old[1], by, "lead")
	}
	return seats(s, old[1], by, "") && seats(s, row[1], by, "") && keeps(old, row, 2)
}

func mayPost(by string, _ oracle.State, old, row oracle.Row) bool {
	me := tidemark.Text(by)
	return (old == nil || old[1] == me) && (row == nil || row[1] == me)
}

const (
	anyClub = "SELECT id FROM club ORDER BY id"
	anyJob  = "SELECT id FROM job ORDER BY id"
	anySeat = "SELECT club, who FROM seat ORDER BY club, who"
	anyPost = "SELECT id FROM post ORDER BY id"
)

func clubOps() []op {
	found := func(g *gen) error { return g.run("INSERT INTO club VALUES (?1, ?2, ?1)", g.name(), g.me()) }
	hire := func(g *gen) error {
		return g.with(anyClub, "INSERT OR IGNORE INTO seat VALUES (?1, ?2, ?3)", person(g.n(3)), g.role())
	}
	work := func(g *gen) error {
		return g.with(anyClub, "INSERT INTO job VALUES (?2, ?1, ?3, ?2, 0)", g.name(), g.meMostly())
	}
	write := func(g *gen) error {
		return g.with(both(anyJob, anyJob), "INSERT INTO post VALUES (?3, ?4, ?3, ?1, ?2)", g.name(), g.meMostly())
	}
	vote := func(g *gen) error { return g.with(anyJob, "UPDATE job SET votes = votes + 1 WHERE id = ?1") }
	return []op{
		found, hire, hire, work, work, settleIn,
		func(g *gen) error { return g.with(anyClub, "UPDATE club SET name = ?2 WHERE id = ?1", g.name()) },
		func(g *gen) error {
			return g.with(anySeat, "UPDATE seat SET role = ?3 WHERE club = ?1 AND who = ?2", g.role())
		},
		handOver,
		func(g *gen) error { return g.with(anySeat, "DELETE FROM seat WHERE club = ?1 AND who = ?2") },
		func(g *gen) error { return g.with(anyJob, "UPDATE job SET title = ?2 WHERE id = ?1", g.name()) },
		vote, vote,
		func(g *gen) error {
			return g.with(anyJob, "UPDATE job SET club = (SELECT id FROM club ORDER BY id LIMIT 1 OFFSET ?2) WHERE id = ?1 AND EXISTS (SELECT 1 FROM club LIMIT 1 OFFSET ?2)", g.n(6))
		},
		func(g *gen) error { return g.with(anyJob, "DELETE FROM job WHERE id = ?1 AND length(id) > 1") },
		func(g *gen) error { return g.with(anyClub, "DELETE FROM club WHERE id = ?1 AND length(id) > 1") },
		write, write,
		func(g *gen) error { return g.with(anyPost, "UPDATE post SET body = ?2 WHERE id = ?1", g.name()) },
		func(g *gen) error { return g.with(anyPost, "UPDATE post SET rival = NULL WHERE id = ?1") },
		func(g *gen) error { return g.with(anyPost, "DELETE FROM post WHERE id = ?1") },
	}
}

// settleIn writes what belongs together in the order in which no rule would
// let it be written: the club comes last.
func settleIn(g *gen) error {
	id, me := g.name(), g.me()
	if err := g.run("INSERT INTO job VALUES (?1, ?1, ?2, 'first', 0)", id, me); err != nil {
		return err
	}
	if err := g.run("INSERT INTO seat VALUES (?1, ?2, 'lead')", id, me); err != nil {
		return err
	}
	return g.run("INSERT INTO club VALUES (?1, ?2, ?1)", id, me)
}

// handOver makes others the leads of a club, and its lead a hand.
func handOver(g *gen) error {
	me := g.me()
	row, err := g.some("SELECT club FROM seat WHERE role = 'lead' AND who = '" + me + "' ORDER BY club")
	if err != nil || row == nil {
		return err
	}
	if err := g.run("UPDATE seat SET role = 'hand' WHERE club = ?1 AND who = ?2", row[0], me); err != nil {
		return err
	}
	return g.run("UPDATE seat SET role = 'lead' WHERE club = ?1 AND who <> ?2", row[0], me)
}

// me is whose device it is, as far as a device knows that was not copied.
func (g *gen) me() string { return person(g.who) }

func (g *gen) meMostly() string { return person(g.who + g.n(12)/11) }

func (g *gen) role() string { return []string{"lead", "hand", "hand"}[g.n(3)] }
