package hub_test

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/hub"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/wire"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// musicSchema refers to integer keys in all ways: in columns, in keys, in the
// table itself, in a circle, through a key that is a reference, as text.
const musicSchema = `
CREATE TABLE artist (id INTEGER PRIMARY KEY, name TEXT NOT NULL, idol INTEGER REFERENCES artist, best INTEGER REFERENCES album);
CREATE TABLE album (id INTEGER PRIMARY KEY %[1]s, name TEXT NOT NULL, artist INTEGER NOT NULL REFERENCES artist (id));
CREATE TABLE track (id INTEGER PRIMARY KEY %[1]s, name TEXT NOT NULL, album TEXT REFERENCES album);
CREATE TABLE bio (artist INTEGER PRIMARY KEY REFERENCES artist ON DELETE CASCADE, name TEXT NOT NULL);
CREATE TABLE line (id INTEGER PRIMARY KEY, name TEXT NOT NULL, bio REFERENCES bio (artist) ON DELETE CASCADE);
CREATE TABLE list (artist INTEGER REFERENCES artist, track INTEGER REFERENCES track, name TEXT, PRIMARY KEY (track, artist)) WITHOUT ROWID;
`

// fleet is a server's engine with replicas' engines on real files.
type fleet struct {
	t     testing.TB
	rng   *rand.Rand
	dir   string
	store *sqlite.Store
	hub   *hub.Hub
	now   int64
	boats []*boat
	subs  []hub.Submission
}

// boat is one replica with its loop and its app.
type boat struct {
	f       *fleet
	name    string
	path    string
	r       *replica.Replica
	app     *lite.DB
	loop    *replica.Loop
	session *hub.Session
	queue   []replica.Event
	settled []tidemark.Outcome
	made    int
}

func newFleet(t testing.TB, seed uint64, ddl string, opts sqlite.Options) *fleet {
	path := makeFile(t, ddl)
	f := &fleet{t: t, rng: rand.New(rand.NewPCG(seed, 3)), dir: filepath.Dir(path), now: 1000}
	f.serve(path, opts)
	return f
}

func (f *fleet) serve(path string, opts sqlite.Options) {
	var err error
	opts.Space = "music"
	f.store, err = sqlite.Open(path, opts)
	must(f.t, err)
	f.t.Cleanup(func() { must(f.t, f.store.Close()) })
	f.hub, err = hub.Open(ctx, f.store, f.now, hub.Options{Rand: f.chacha()})
	must(f.t, err)
	f.group()
}

func (f *fleet) chacha() *rand.ChaCha8 {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], f.rng.Uint64())
	return rand.NewChaCha8(seed)
}

// launch clones the space.
func (f *fleet) launch() *boat {
	b := &boat{f: f, name: string(rune('a' + len(f.boats)))}
	b.path = filepath.Join(f.dir, b.name+".db")
	info, err := f.store.Snapshot(ctx, b.path)
	must(f.t, err)
	must(f.t, replica.Create(b.path, replica.CreateOptions{Server: "x", State: info.State, Schema: f.hub.Schema()}))
	f.boats = append(f.boats, b)
	b.open()
	f.t.Cleanup(func() {
		got, err := b.r.Status()
		must(f.t, err)
		if got.Repair != "" {
			f.t.Errorf("%s is to be repaired: %s", b.name, got.Repair)
		}
		sound, err := b.app.Text("PRAGMA integrity_check")
		must(f.t, err)
		broken, err := b.app.Get("PRAGMA foreign_key_check")
		must(f.t, err)
		if sound != "ok" || broken != nil {
			f.t.Errorf("%s: %s, foreign keys %v", b.name, sound, broken)
		}
		must(f.t, b.app.Close())
		must(f.t, b.r.Close())
	})
	return b
}

func (b *boat) open() {
	var err error
	b.r, err = replica.Open(b.path, replica.Options{Rand: b.f.chacha()})
	must(b.f.t, err)
	b.app, err = lite.Open(b.path, lite.Options{})
	must(b.f.t, err)
	must(b.f.t, b.app.Run("PRAGMA foreign_keys = ON"))
	b.loop = replica.NewLoop(b.r, replica.LoopOptions{Rand: b.f.chacha(), PushBytes: 200 + b.f.rng.IntN(2000)})
}

// step takes one event of a boat.
func (b *boat) step(ev replica.Event) {
	b.f.now++
	effects, err := b.loop.Step(b.f.now, ev)
	must(b.f.t, err)
	for _, e := range effects {
		switch e := e.(type) {
		case replica.Dial:
			b.session = b.f.hub.NewSession(tidemark.Principal{})
			b.queue = append(b.queue, replica.Connected{})
		case replica.Close:
			b.cut()
		case replica.Send:
			b.send(e.Msgs)
		case replica.Notify:
			if e.Note.Err != nil {
				b.f.t.Fatalf("%s: %v", b.name, e.Note.Err)
			}
			if e.Note.Applied != nil {
				b.settled = append(b.settled, e.Note.Applied.Settled...)
			}
		}
	}
}

func (b *boat) cut() {
	if b.session != nil {
		b.session.End()
	}
	b.session, b.queue = nil, nil
}

func (b *boat) send(msgs []wire.Up) {
	for _, m := range msgs {
		if b.session == nil {
			return
		}
		down, sub, err := b.session.Receive(ctx, b.f.now, m)
		must(b.f.t, err)
		b.hear(down)
		if sub != nil {
			b.f.subs = append(b.f.subs, *sub)
		}
	}
}

// hear queues messages as they come out of the wire.
func (b *boat) hear(down []wire.Down) {
	for _, m := range down {
		if r, ok := m.(*wire.Refusal); ok && r.Code != tidemark.CodeFork {
			b.f.t.Fatalf("%s was refused: %+v", b.name, r)
		}
		m, err := wire.DecodeDown(wire.AppendDown(nil, m))
		must(b.f.t, err)
		b.queue = append(b.queue, replica.Received{Msg: m})
	}
}

// group judges what was handed in, some of it.
func (f *fleet) group() {
	f.now++
	subs := f.subs
	f.subs = nil
	c, err := f.hub.Group(ctx, f.now, subs, func() bool { return f.rng.IntN(8) > 0 })
	must(f.t, err)
	f.subs = append(c.Retry, f.subs...)
	for _, b := range f.boats {
		if b.session != nil {
			b.hear(b.session.Deliver(c))
		}
	}
}

func (f *fleet) next(b *boat) {
	if b.session != nil && b.session.Behind() {
		down, err := b.session.Next(ctx)
		must(f.t, err)
		b.hear(down)
	}
}

// sail lets something happen on the wire.
func (f *fleet) sail(b *boat) {
	switch n := f.rng.IntN(10); {
	case n == 0 && len(f.subs) > 0:
		f.group()
	case n == 1:
		f.next(b)
	case len(b.queue) > 0:
		ev := b.queue[0]
		b.queue = b.queue[1:]
		b.step(ev)
	}
}

// calm brings everyone in and waits until nothing is left to say.
func (f *fleet) calm() {
	for _, b := range f.boats {
		if b.session == nil {
			b.step(replica.Start{})
		}
		b.step(replica.Local{})
	}
	for range 200_000 {
		busy := false
		for _, b := range f.boats {
			for len(b.queue) > 0 {
				busy = true
				ev := b.queue[0]
				b.queue = b.queue[1:]
				b.step(ev)
			}
			if b.session == nil && b.loop.State() == replica.Backoff {
				b.step(replica.Start{})
				busy = true
			}
			if b.session != nil && b.session.Behind() {
				busy = true
				f.next(b)
			}
		}
		if len(f.subs) > 0 {
			busy = true
			f.group()
		}
		if !busy {
			return
		}
	}
	f.t.Fatal("it never calms down")
}

// table reads rows as text.
func table(t testing.TB, db *lite.DB, sql string) []string {
	t.Helper()
	var rows []string
	err := db.Each(sql, func(s *lite.Stmt) error {
		rows = append(rows, fmt.Sprint(s.Row(0)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// musicTables are read by names, so that ids do not matter.
var musicTables = map[string]string{
	"artist": `SELECT a.name, i.name, b.name FROM artist a LEFT JOIN artist i ON i.id = a.idol LEFT JOIN album b ON b.id = a.best`,
	"album":  `SELECT b.name, a.name FROM album b JOIN artist a ON a.id = b.artist`,
	"track":  `SELECT t.name, b.name FROM track t LEFT JOIN album b ON b.id = t.album`,
	"bio":    `SELECT b.name, a.name FROM bio b JOIN artist a ON a.id = b.artist`,
	"line":   `SELECT l.name, b.name FROM line l JOIN bio b ON b.artist = l.bio`,
	"list":   `SELECT l.name, t.name, a.name FROM list l JOIN track t ON t.id = l.track JOIN artist a ON a.id = l.artist`,
}

func (f *fleet) compare(want map[string]map[string]string) {
	f.t.Helper()
	served, err := lite.Open(filepath.Join(f.dir, "served.db"), lite.Options{})
	must(f.t, err)
	defer func() { must(f.t, served.Close()) }()
	for name, sql := range musicTables {
		expected := slices.Sorted(maps.Values(want[name]))
		got := table(f.t, served, sql+" ORDER BY 1")
		slices.Sort(got)
		if !slices.Equal(got, expected) {
			f.t.Fatalf("%s\n got %s\nwant %s", name, strings.Join(got, "\n     "), strings.Join(expected, "\n     "))
		}
		rows := table(f.t, served, "SELECT * FROM "+name+" ORDER BY 1, 2")
		for _, b := range f.boats {
			if mine := table(f.t, b.app, "SELECT * FROM "+name+" ORDER BY 1, 2"); !slices.Equal(mine, rows) {
				f.t.Fatalf("%s of %s\n got %v\nwant %v", name, b.name, mine, rows)
			}
		}
	}
}

// TestRenumberedRowsStayApart lets apps that all take the next free id write
// while they are apart, in random schedules. Every row must come through, with
// the references that its author gave it, and none may take the place of another.
func TestRenumberedRowsStayApart(t *testing.T) {
	runs := uint64(12)
	if testing.Short() {
		runs = 5
	}
	for seed := range runs {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			sail(t, newFleet(t, seed, fmt.Sprintf(musicSchema, ""), sqlite.Options{}), 120)
		})
	}
}

func sail(t *testing.T, f *fleet, steps int) {
	want := map[string]map[string]string{}
	for name := range musicTables {
		want[name] = map[string]string{}
	}
	var crew []*musician
	for range 3 {
		crew = append(crew, &musician{b: f.launch(), want: want})
	}
	for range steps {
		m := crew[f.rng.IntN(len(crew))]
		switch n := f.rng.IntN(20); {
		case n < 4:
			m.write()
			m.b.step(replica.Local{})
		case n == 4:
			m.write() // sealed together with what comes next
		case n == 5 && m.b.session == nil:
			m.b.step(replica.Start{})
		case n == 6 && m.b.session != nil && f.rng.IntN(3) == 0:
			m.b.step(replica.Hangup{})
			m.b.cut()
		default:
			f.sail(m.b)
		}
	}
	f.calm()
	for _, b := range f.boats {
		for _, o := range b.settled {
			if o.Kind != tidemark.Accepted {
				t.Errorf("changeset %s/%d: %s %s %s", o.Replica, o.N, o.Kind, o.Code, o.Message)
			}
		}
	}
	f.compare(want)
}
