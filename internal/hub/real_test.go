package hub_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/policy"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

const realSchema = `
CREATE TABLE owner (id INTEGER PRIMARY KEY, name TEXT UNIQUE COLLATE NOCASE, age INTEGER CHECK (age < 200), bio TEXT, tags TEXT, doc TEXT, street, city);
CREATE TABLE pet (a TEXT, b INTEGER, owner INTEGER REFERENCES owner ON DELETE CASCADE ON UPDATE CASCADE, tag, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE toy (id INTEGER PRIMARY KEY, pet_a TEXT, pet_b INTEGER, n REAL NOT NULL DEFAULT 1, FOREIGN KEY (pet_a, pet_b) REFERENCES pet ON DELETE SET NULL);
`

// realPolicies give nearly every policy a column in the yard.
const realPolicies = `
tables:
  owner:
    on_delete: update-wins
    on_unique: { function: rename }
    columns: { age: counter, bio: text, tags: set, doc: json }
    groups:
      - columns: [street, city]
        policy: latest-edit
  pet:
    on_insert: merge
    columns: { tag: manual }
    references: { owner: set-null }
  toy:
    on_delete: manual
    columns: { n: max, pet_a: first-write, pet_b: reject }
`

// yard is a hub on a real file, written by replicas and by another program,
// with replicas that hold their rows in maps.
type yard struct {
	t     *testing.T
	rng   *rand.Rand
	path  string
	store *sqlite.Store
	hub   *hub.Hub
	now   int64
	by    *lite.DB // the other program
	dogs  []*dog
	wide  int
	key   digest.Key

	hook func(*hub.Proposal) (*hub.Verdict, error)
	late []hub.Submission // wait for the hook
}

func newYard(t *testing.T, seed uint64) *yard {
	y := &yard{t: t, rng: rand.New(rand.NewPCG(seed, 9)), path: makeFile(t, realSchema), now: 1000}
	y.open()
	y.by = another(t, y.path)
	t.Cleanup(func() {
		must(y.t, y.by.Close())
		must(y.t, y.store.Close())
	})
	return y
}

// open starts the server, again.
func (y *yard) open() {
	var err error
	if y.store != nil {
		must(y.t, y.store.Close())
	}
	y.store = openStore(y.t, y.path, "yard", realPolicies, policy.Functions{Unique: []string{"rename"}})
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], y.rng.Uint64())
	y.hub, err = hub.Open(ctx, y.store, y.now, hub.Options{
		Rand: rand.NewChaCha8(seed), Chunk: 300 + y.rng.IntN(2000), Hook: y.hook,
		Unique: map[string]hub.UniqueFunc{"rename": func(c hub.Clash) (hub.Resolution, error) {
			row := slices.Clone(c.Mine)
			row[1] = tidemark.Text(row[1].Str() + "!")
			return hub.Resolution{Row: row}, nil
		}},
	})
	must(y.t, err)
	y.key, y.late = y.hub.State().DigestKey, nil
	y.group()
}

func (y *yard) randomChange(t *tidemark.Table, rows map[string][]tidemark.Value) tidemark.Change {
	row := y.randomRow(t)
	c := tidemark.Change{Table: t.ID, Op: tidemark.Insert, Key: t.KeyOf(row), New: row}
	ids := slices.Sorted(maps.Keys(rows))
	if len(ids) == 0 || y.rng.IntN(3) == 0 {
		return c
	}
	c.Key = t.KeyOf(rows[ids[y.rng.IntN(len(ids))]])
	if y.rng.IntN(4) == 0 {
		return tidemark.Change{Table: t.ID, Op: tidemark.Delete, Key: c.Key}
	}
	c.Op, c.New = tidemark.Update, nil
	for col := range t.Columns {
		if slices.Contains(t.Key, col) && y.rng.IntN(6) > 0 {
			continue
		}
		if y.rng.IntN(2) == 0 {
			c.Cols, c.New = append(c.Cols, col), append(c.New, row[col])
		}
	}
	return c
}

func (y *yard) randomRow(t *tidemark.Table) []tidemark.Value {
	row := make([]tidemark.Value, len(t.Columns))
	for i := range row {
		row[i] = tidemark.Int(y.rng.Int64N(60))
		switch t.Columns[i].Name {
		case "name", "a", "pet_a":
			row[i] = tidemark.Text(fmt.Sprintf("%c%d", 'a'+y.rng.IntN(8), y.rng.IntN(10)))
		case "age":
			row[i] = tidemark.Int(y.rng.Int64N(205))
		case "bio":
			row[i] = tidemark.Text(strings.Repeat("woof ", y.rng.IntN(5)) + string(rune('a'+y.rng.IntN(26))) + strings.Repeat(" é", y.rng.IntN(5)))
		case "tags":
			row[i] = tidemark.Text(fmt.Sprintf(`["t%d","t%d"]`, y.rng.IntN(5), 5+y.rng.IntN(5)))
		case "doc":
			row[i] = tidemark.Text(fmt.Sprintf(`{"a":%d,"b":{"c":%d}}`, y.rng.IntN(3), y.rng.IntN(3)))
		case "owner":
			row[i] = tidemark.Int(y.rng.Int64N(5))
			if y.rng.IntN(2) == 0 {
				row[i] = tidemark.Null
			}
		case "pet_b":
			row[i] = tidemark.Null
		case "tag":
			row[i] = []tidemark.Value{tidemark.Null, tidemark.Real(1), tidemark.Blob([]byte{0, 1}), tidemark.Text("é\x00")}[y.rng.IntN(4)]
		case "n":
			row[i] = tidemark.Real(y.rng.Float64())
		}
	}
	return row
}

// group judges and tells most of those who are there.
func (y *yard) group(subs ...hub.Submission) {
	y.now += 10
	c, err := y.hub.Group(ctx, y.now, append(y.late, subs...), nil)
	must(y.t, err)
	for _, s := range c.Retry {
		if err := c.Failed(s); !errors.Is(err, hub.ErrWait) {
			y.t.Fatalf("cannot be applied: %v", err)
		}
	}
	y.late = c.Retry
	for _, d := range y.dogs {
		if y.rng.IntN(10) > 0 {
			d.hear(d.s.Deliver(c))
		}
	}
}

// byHand writes as another program does, with foreign keys off half the time.
func (y *yard) byHand() {
	r := y.rng
	statements := []string{
		fmt.Sprintf("INSERT OR REPLACE INTO owner (id, name, age) VALUES (%d, '%c', %d)", r.IntN(12), 'A'+r.IntN(8), r.IntN(210)),
		fmt.Sprintf("DELETE FROM owner WHERE id = %d", r.IntN(12)),
		fmt.Sprintf("UPDATE owner SET id = id + 100 WHERE id = %d", r.IntN(12)),
		fmt.Sprintf("INSERT OR IGNORE INTO pet (a, b, owner) VALUES ('%c', %d, %d)", 'a'+r.IntN(8), r.IntN(12), r.IntN(12)),
		fmt.Sprintf("UPDATE OR REPLACE pet SET b = %d WHERE a = '%c'", r.IntN(12), 'a'+r.IntN(8)),
		fmt.Sprintf("UPDATE toy SET n = n * 2, pet_a = NULL WHERE id %% 3 = %d", r.IntN(3)),
	}
	sql := fmt.Sprintf("PRAGMA foreign_keys = %d; BEGIN; ", r.IntN(2))
	for range 1 + r.IntN(3) {
		if err := y.by.Script(sql + statements[r.IntN(len(statements))]); err != nil && lite.Violation(err) == nil {
			y.t.Fatal(err)
		}
		sql = ""
	}
	if err := y.by.Script("COMMIT"); err != nil {
		_ = y.by.Script("ROLLBACK")
	}
}

// compare ends a run: everyone at head holds exactly the server's rows.
func (y *yard) compare() {
	y.group()
	for _, d := range y.dogs {
		y.group(d.connect()...)
	}
	for _, d := range y.dogs {
		d.connect()
		for d.s.Behind() {
			down, err := d.s.Next(ctx)
			must(y.t, err)
			d.hear(down)
		}
		if len(d.open) > 0 || d.hello.Seq != y.hub.State().Head {
			y.t.Fatalf("%d without an outcome, at %d of %d", len(d.open), d.hello.Seq, y.hub.State().Head)
		}
		must(y.t, y.store.View(ctx, d.sameAs))
	}
}

func TestAtRandomOnARealFile(t *testing.T) {
	y := newYard(t, dice.Seed(t))
	for range 4 {
		y.newDog()
	}
	for range dice.Times(300) {
		y.group(y.step()...)
		y.someCatchUp()
	}
	y.compare()
	y.judgeRecords()
	for _, d := range y.dogs {
		t.Logf("%v at %d", d.fates, d.hello.Seq)
	}
}

// judgeRecords looks whether what is recorded can be true.
func (y *yard) judgeRecords() {
	kinds := map[string]int{}
	must(y.t, y.by.Each("SELECT policy, winner, theirs_by IS substr(mine_by, 1, length(theirs_by)), col IS NULL, theirs IS mine FROM tm_conflicts", func(s *lite.Stmt) error {
		kinds[s.Text(0)+" "+s.Text(1)]++
		if s.Int(2) != 0 && s.Int(3) == 0 && s.Text(0) != "rename" {
			return fmt.Errorf("an edit meets one of its own chain under %s", s.Text(0))
		}
		if s.Int(4) != 0 && s.Int(3) == 0 {
			return fmt.Errorf("equal values are a conflict under %s", s.Text(0))
		}
		return nil
	}))
	y.t.Logf("records: %v", kinds)
}

// step makes submissions, and now and then something goes wrong.
func (y *yard) step() (subs []hub.Submission) {
	d := y.dogs[y.rng.IntN(len(y.dogs))]
	switch y.rng.IntN(40) {
	case 0, 1, 2, 3:
		y.byHand()
	case 4, 5, 6:
		return d.connect()
	case 7:
		if y.wide++; y.wide < 4 {
			must(y.t, y.by.Script(fmt.Sprintf("ALTER TABLE owner ADD COLUMN more%d", y.wide)))
		}
	case 8:
		y.open()
		for _, d := range y.dogs {
			subs = append(subs, d.connect()...)
		}
		return subs
	}
	for range y.rng.IntN(5) {
		subs = append(subs, *y.dogs[y.rng.IntN(len(y.dogs))].write())
	}
	return subs
}

func (y *yard) someCatchUp() {
	for _, d := range y.dogs {
		if !d.s.Behind() || y.rng.IntN(3) == 0 {
			continue
		}
		down, err := d.s.Next(ctx)
		if tidemark.CodeOf(err) == tidemark.CodeBusy {
			y.group()
			continue
		}
		must(y.t, err)
		d.hear(down)
	}
}
