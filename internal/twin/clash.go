package twin

import (
	"fmt"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// clash lets two devices that do not hear of each other write the same rows,
// and then brings one after the other on line.
func (p *planner) clash(d *machine) (Op, bool) {
	dev, ok := d.dev.(*goDevice)
	if !ok || p.extras.r == nil || len(p.w.devices) < 2 {
		return Op{}, false
	}
	other := p.w.devices[p.rand.IntN(len(p.w.devices))]
	if other == d {
		return Op{}, false
	}
	mine, theirs := p.extras.meeting(dev.db)
	for range 1 + p.rand.IntN(2) {
		p.ahead = append(p.ahead, Op{Do: "write", Dev: other.number, Flag: true, Stmts: theirs()})
		p.ahead = append(p.ahead, Op{Do: "write", Dev: d.number, Flag: true, Stmts: mine()})
	}
	p.ahead = append(p.ahead, Op{Do: "sync", Dev: other.number, N: 1000})
	if p.rand.IntN(3) == 0 {
		p.ahead = append(p.ahead, Op{Do: "sync", Dev: d.number, N: 4 + p.rand.IntN(6)}, Op{Do: "write", Dev: d.number, Flag: true, Stmts: mine()})
	}
	p.ahead = append(p.ahead, Op{Do: "sync", Dev: d.number, N: 1000})
	next := p.ahead[0]
	p.ahead = p.ahead[1:]
	return next, true
}

// meeting chooses a row, and what two devices do to it.
func (x *extras) meeting(db *lite.DB) (mine, theirs func() []Stmt) {
	of := func(sql string, args func() []tidemark.Value) func() []Stmt {
		return func() []Stmt { return []Stmt{newStmt(sql, args())} }
	}
	list := func(args ...tidemark.Value) func() []tidemark.Value {
		return func() []tidemark.Value { return args }
	}
	id := func(table string) tidemark.Value { return x.id(db, table) }
	switch x.r.IntN(8) {
	case 0:
		doc := id("xdoc")
		if x.r.IntN(4) == 0 {
			long := of("UPDATE xdoc SET body = ?2 WHERE id = ?1", func() []tidemark.Value { return []tidemark.Value{doc, tidemark.Text(x.long())} })
			return long, long
		}
		edit := func() []Stmt {
			sql := fmt.Sprintf("UPDATE xdoc SET body = substr(body, 1, %d) || ?2 || substr(body, %d) WHERE id = ?1", x.r.IntN(300), x.r.IntN(300))
			return []Stmt{newStmt(sql, []tidemark.Value{doc, tidemark.Text(x.words())})}
		}
		return edit, edit
	case 1:
		keep := id("xkeep")
		return of("DELETE FROM xkeep WHERE id = ?1", list(keep)),
			of("UPDATE xkeep SET a = ?2 WHERE id = ?1", func() []tidemark.Value { return []tidemark.Value{keep, x.value()} })
	case 2:
		n := tidemark.Int(1000 + x.r.Int64N(9))
		same := of("INSERT OR REPLACE INTO xkeep (id, a, b) VALUES (?1, ?2, ?3)", func() []tidemark.Value {
			return []tidemark.Value{n, x.value(), tidemark.Text(x.letter())}
		})
		return same, same
	case 3:
		who := tidemark.Text(x.letter() + x.letter())
		same := of("INSERT INTO xauto (u) VALUES (?1)", list(who))
		return same, same
	case 4:
		pol := id("xpol")
		return of("INSERT OR REPLACE INTO xchild VALUES ('child', ?1, NULL, 1)", list(pol)), of("DELETE FROM xpol WHERE id = ?1", list(pol))
	}
	pol := id("xpol")
	places := []int{x.pick(len(policySets), x.sets)}
	if x.r.IntN(2) == 0 {
		places = append(places, x.r.IntN(len(policySets)))
	}
	set := func() []Stmt {
		sql, args := x.policy(pol, places)
		return []Stmt{newStmt(sql, args)}
	}
	return set, set
}
