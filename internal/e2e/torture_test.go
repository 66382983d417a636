package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

var (
	seedFlag  = flag.Uint64("e2e.seed", 1, "seed of the writers and of the kills")
	totalFlag = flag.Int("e2e.transactions", 4_000, "transactions in all")
)

const replicas = 5

func jsonLine(statements []string) string {
	b, err := json.Marshal(statements)
	if err != nil {
		panic(err)
	}
	return string(b) + "\n"
}

// torture is one run: a server process, five replicas, each behind a cable and
// with a sync process, and writers on every file.
type torture struct {
	t      *testing.T
	dir    string
	server string // the served file
	hub    *process
	paths  []string
	cables []*cable
	syncs  []*process

	mu        sync.Mutex
	committed map[string]string // audit id to the file it was written into
}

// TestTorture: five replicas and the server's file, written at random by our
// library, by sqlite3 and by Python, foreign keys on and off, through kills of
// every process and cut connections, end with equal rows, and every
// transaction that was committed anywhere is in them or in a rejected record.
func TestTorture(t *testing.T) {
	t.Logf("seed %d: go test ./internal/e2e -run TestTorture -e2e.seed=%d", *seedFlag, *seedFlag)
	r := newTorture(t)
	rng := rand.New(rand.NewPCG(*seedFlag, 2))
	rounds := max(3, dice.Times(10))
	kills := 0
	for round := range rounds {
		var wg sync.WaitGroup
		for i, path := range append([]string{r.server}, r.paths...) {
			seed := rng.Uint64()
			wg.Go(func() {
				r.write(path, fmt.Sprintf("w%d.%d", i, round), dice.Times(*totalFlag)/rounds/(replicas+1)+1, seed)
			})
		}
		kills += r.trouble(rng)
		wg.Wait()
	}
	t.Logf("%d transactions committed, %d processes killed", len(r.committed), kills)
	if kills < 2*rounds {
		t.Errorf("only %d kills", kills)
	}
	r.settle()
	r.judge()
}

func newTorture(t *testing.T) *torture {
	r := &torture{t: t, dir: t.TempDir(), committed: map[string]string{}}
	r.server = filepath.Join(r.dir, "kinds.sqlite")
	db, err := lite.Open(r.server, lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Script(kinds); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "tidemark.yaml"), []byte(declared), 0o600); err != nil {
		t.Fatal(err)
	}
	var address string
	r.hub, address = serve(t, r.server)
	for i := range replicas {
		c := newCable(t, address)
		path := filepath.Join(r.dir, fmt.Sprintf("r%d.db", i))
		if code, out := command(t, "clone", c.address()+"/kinds", path); code != 0 {
			t.Fatalf("clone: %d\n%s", code, out)
		}
		c.noSocket.Store(i == 1) // one replica lives behind a proxy that blocks WebSocket
		r.cables, r.paths = append(r.cables, c), append(r.paths, path)
		r.syncs = append(r.syncs, start(t, "sync", "--watch", path))
	}
	return r
}

// write runs n transactions on one file with writers of every sort.
func (r *torture) write(path, name string, n int, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &writer{rng: rng, name: name}
	var run runner
	for i := range n {
		if run == nil || i%40 == 0 {
			if run != nil {
				run.close()
			}
			run = r.writer(path, rng)
		}
		audit, statements := w.transaction()
		ok, err := run.run(statements)
		if err != nil {
			r.t.Errorf("%s: %v", name, err)
			return
		}
		if ok {
			r.mu.Lock()
			r.committed[audit] = path
			r.mu.Unlock()
		}
	}
	run.close()
}

// writer starts a program that writes into a file.
func (r *torture) writer(path string, rng *rand.Rand) runner {
	_, noShell := exec.LookPath("sqlite3")
	_, noPython := exec.LookPath("python3")
	foreignKeys := rng.IntN(2) == 0
	switch k := rng.IntN(4); {
	case k == 0 && noShell == nil:
		return sqliteShell(r.t, path, foreignKeys)
	case k == 1 && noPython == nil:
		return python(r.t, path, foreignKeys)
	case path == r.server:
		return openPlain(r.t, path, foreignKeys)
	}
	db, err := client.Open(path, client.Options{})
	if err != nil {
		r.t.Errorf("open %s: %v", path, err)
		return openPlain(r.t, path, foreignKeys)
	}
	return &library{db}
}

// trouble kills and cuts while the writers of a round are at work.
func (r *torture) trouble(rng *rand.Rand) (kills int) {
	for range 3 {
		i := rng.IntN(replicas)
		r.cables[i].sever()
		k := rng.IntN(replicas)
		r.syncs[k].kill()
		r.syncs[k] = start(r.t, "sync", "--watch", r.paths[k])
		kills++
		if rng.IntN(2) == 0 {
			r.hub.kill()
			kills++
			var address string
			r.hub, address = serve(r.t, r.server)
			for _, c := range r.cables {
				c.target.Store(address)
				c.hangUp()
			}
		}
		r.cables[i].mend()
	}
	return kills
}

// settle mends everything and syncs until all copies are at one seq with nothing pending.
func (r *torture) settle() {
	r.t.Helper()
	for i := range r.cables {
		r.cables[i].mend()
		p := r.syncs[i]
		// Before it says so it does not listen for interrupts; where they are ignored
		// by whoever runs this test, it would never hear of one that comes earlier.
		eventually(r.t, "sync --watch is there", func() bool { return p.ended() || strings.Contains(p.out.String(), "Ctrl-C stops") })
		if code := p.stop(r.t); code != 0 && code != 130 && code != 3 {
			r.t.Errorf("sync --watch of replica %d ended with %d:\n%s", i, code, p.out.String())
		}
	}
	eventually(r.t, "all replicas at one seq", func() bool {
		seqs := map[tidemark.Seq]bool{}
		for _, path := range r.paths {
			if code, out := command(r.t, "sync", path); code != 0 && code != 3 {
				r.t.Fatalf("sync %s: %d\n%s", path, code, out)
			}
			seqs[r.status(path)] = true
		}
		return len(seqs) == 1
	})
}

func (r *torture) status(path string) tidemark.Seq {
	r.t.Helper()
	db, err := client.Open(path, client.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	s, err := db.Status()
	if err != nil {
		r.t.Fatal(err)
	}
	if s.Pending > 0 || s.Unsealed || s.Repair != "" || len(s.Out) > 0 {
		r.t.Errorf("%s after sync: %+v", path, s)
	}
	return s.Seq
}

// judge compares all copies and accounts for every transaction.
func (r *torture) judge() {
	want := dump(r.t, r.server)
	audits := r.found(r.server)
	for _, path := range r.paths {
		if got := dump(r.t, path); got != want {
			r.t.Errorf("%s differs from the server:\n%s", filepath.Base(path), firstDifference(want, got))
		}
		if code, out := command(r.t, "verify", path); code != 0 {
			r.t.Errorf("verify %s: %d\n%s", path, code, out)
		}
		for id := range r.found(path) {
			audits[id] = true
		}
	}
	rejected := 0
	for id := range r.committed {
		if audits[id] && !strings.Contains(want, "'"+id+"'") {
			rejected++
		}
	}
	r.t.Logf("%d transactions ended rejected", rejected)
	if rejected == 0 {
		r.t.Error("nothing was rejected: the writers did not collide")
	}
	for id, path := range r.committed {
		if !audits[id] {
			r.t.Errorf("transaction %s, committed in %s, is neither in the tables nor rejected", id, filepath.Base(path))
		}
	}
	r.account()
	if code := r.hub.stop(r.t); code != 0 && code != 130 {
		r.t.Errorf("serve ended with %d:\n%s", code, r.hub.out.String())
	}
	if code, out := command(r.t, "doctor", r.server); code != 0 {
		r.t.Errorf("doctor: %d\n%s", code, out)
	}
	if r.t.Failed() {
		r.keep()
	}
}

// account looks for the traces of every transaction that was accepted: each
// counts once, is in the sets and texts that it joined, and held its slot until
// somebody who saw it there took it, or lost it to somebody who did not, which
// is a conflict that is kept. One that took a slot and was rejected had seen
// whom it took it from, and those behind it go on from there. A replica may
// also overwrite what it wrote itself and did not see, since a suspended
// changeset is out of the tables. Nothing else of what was rejected is left.
func (r *torture) account() {
	r.t.Helper()
	db, err := lite.Open(r.server, lite.Options{ReadOnly: true})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	list := func(sql string) map[string]int {
		found := map[string]int{}
		if err := db.Each(sql, func(s *lite.Stmt) error { found[s.Text(0)]++; return nil }); err != nil {
			r.t.Fatal(err)
		}
		return found
	}
	audits := list("SELECT id FROM audit")
	if n, err := db.Int("SELECT sum(n) FROM tally"); err != nil || n != int64(len(audits)) {
		r.t.Errorf("%d transactions are in the tables, and %d counted themselves (%v)", len(audits), n, err)
	}
	notes, err := db.Text("SELECT group_concat(note) FROM tally")
	if err != nil {
		r.t.Fatal(err)
	}
	members, took := list("SELECT value FROM tally, json_each(members)"), list("SELECT by FROM took")
	seen := list("SELECT holder FROM slot UNION ALL SELECT over FROM took")
	lost := list("SELECT theirs FROM tm_conflicts WHERE tbl = 'slot' UNION ALL SELECT mine FROM tm_conflicts WHERE tbl = 'slot'")
	r.t.Logf("%d transactions in sets, %d took a slot, %d values of slots were lost and kept", len(members), len(took), len(lost))
	for _, path := range append([]string{r.server}, r.paths...) {
		for id := range r.rejected(path) {
			seen[id]++
		}
	}
	for _, id := range r.ownOverwritten() {
		seen[id]++
	}
	for id := range audits {
		set, text := joins(id)
		if want := map[bool]int{true: 1}[set]; members[id] != want {
			r.t.Errorf("%s is %d times in the sets, want %d", id, members[id], want)
		}
		if n := strings.Count(notes, string(markOf(id))); text && n != 1 {
			r.t.Errorf("%s is %d times in the texts, want once", id, n)
		}
	}
	for id := range r.committed {
		if _, text := joins(id); text && audits[id] == 0 && strings.ContainsRune(notes, markOf(id)) {
			r.t.Errorf("%s is in a text and was not accepted", id)
		}
	}
	for id := range took {
		if seen[id] == 0 && lost[id] == 0 {
			r.t.Errorf("%s took a slot, and nobody who saw it there took it away, and no conflict tells of it", id)
		}
	}
	for id := range members {
		if audits[id] == 0 {
			r.t.Errorf("%s is in a set and was not accepted", id)
		}
	}
}

// ownOverwritten lists the holders of slots that their own replica put others in place of.
func (r *torture) ownOverwritten() (ids []string) {
	r.t.Helper()
	code, out := command(r.t, "log", r.server, "--changes", "--json", "--limit", "0")
	var doc struct {
		Log []struct {
			Replica string
			Changes []struct {
				Table string
				Key   []int
				New   []string
			}
		}
	}
	if code != 0 || lenient(out, &doc) != nil {
		r.t.Fatalf("log: %d\n%.500s", code, out)
	}
	type hold struct{ replica, id string }
	last := map[int]hold{}
	for _, e := range doc.Log {
		for _, c := range e.Changes {
			if c.Table != "slot" || len(c.New) != 1 {
				continue
			}
			if was := last[c.Key[0]]; was.replica == e.Replica {
				ids = append(ids, was.id)
			}
			last[c.Key[0]] = hold{e.Replica, c.New[0]}
		}
	}
	return ids
}

// lenient decodes JSON; what does not fit the type is left out.
func lenient(text string, into any) error {
	err := json.Unmarshal([]byte(text), into)
	var other *json.UnmarshalTypeError
	if errors.As(err, &other) {
		return nil
	}
	return err
}

// found lists the audit ids in a file's table and in its rejected records.
func (r *torture) found(path string) map[string]bool {
	r.t.Helper()
	ids := r.rejected(path)
	db, err := lite.Open(path, lite.Options{ReadOnly: true})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.Each("SELECT id FROM audit", func(s *lite.Stmt) error { ids[s.Text(0)] = true; return nil }); err != nil {
		r.t.Fatal(err)
	}
	return ids
}

// rejected lists the audit ids in a file's rejected records.
func (r *torture) rejected(path string) map[string]bool {
	r.t.Helper()
	db, err := lite.Open(path, lite.Options{ReadOnly: true})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	ids := map[string]bool{}
	err = db.Each("SELECT * FROM _tm_rejected", func(s *lite.Stmt) error {
		for i := range s.Columns() {
			for _, part := range strings.Split(s.Text(i), `"`) {
				if strings.HasPrefix(part, "w") && strings.HasSuffix(part, ".") {
					ids[part] = true
				}
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return ids
}

// keep copies the files of a failed run to where they can be looked at.
func (r *torture) keep() {
	dir := os.Getenv("TIDEMARK_KEEP")
	if dir == "" {
		r.t.Log("set TIDEMARK_KEEP to a folder to keep the files of a failed run")
		return
	}
	for _, p := range append([]string{r.server}, r.paths...) {
		b, err := os.ReadFile(p)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(p)), b, 0o600)
		}
		if err != nil {
			r.t.Log(err)
		}
	}
}

// plainWriter writes through a bare connection, as any Go program would.
type plainWriter struct{ db *lite.DB }

func openPlain(t *testing.T, path string, foreignKeys bool) runner {
	db, err := lite.Open(path, lite.Options{})
	if err == nil {
		err = db.Run(fmt.Sprintf("PRAGMA foreign_keys = %v", foreignKeys))
	}
	if err != nil {
		t.Error(err)
	}
	return &plainWriter{db}
}

func (p *plainWriter) run(statements []string) (bool, error) {
	err := p.db.Transaction(func() error {
		for _, s := range statements {
			if err := p.db.Run(s); err != nil {
				return err
			}
		}
		return nil
	})
	return err == nil, nil
}

func (p *plainWriter) close() { _ = p.db.Close() }

// dump writes all synced rows of a file in key order, with the storage class of every value.
func dump(t *testing.T, path string) string {
	t.Helper()
	db, err := lite.Open(path, lite.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	db.SetContext(context.Background())
	var b strings.Builder
	for _, table := range syncedTables {
		err := db.Each("SELECT * FROM "+lite.Quote(table.name)+" ORDER BY "+table.order, func(s *lite.Stmt) error {
			fmt.Fprintf(&b, "%s %v\n", table.name, s.Row(0))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, pragma := range []string{"integrity_check", "foreign_key_check"} {
		if out, err := db.Text("PRAGMA " + pragma); err != nil || (out != "" && out != "ok") {
			t.Errorf("%s of %s: %s %v", pragma, filepath.Base(path), out, err)
		}
	}
	return b.String()
}

func firstDifference(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(la), len(lb)) {
		if la[i] != lb[i] {
			return fmt.Sprintf("line %d\nserver:  %.300s\nreplica: %.300s", i+1, la[i], lb[i])
		}
	}
	return fmt.Sprintf("%d lines against %d", len(la), len(lb))
}
