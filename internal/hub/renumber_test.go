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

// musician writes as an app does that takes the next id of each table. It only
// changes rows of its own, so that all it does must come true.
type musician struct {
	b    *boat
	want map[string]map[string]string // by table and name: the row as musicTables reads it
}

// pick returns the id and the name of a row that is here now.
func (m *musician) pick(table string) (id, name string) {
	rows := readAll(m.b, fmt.Sprintf("SELECT %s, name FROM %s WHERE name NOT LIKE '%%!' ORDER BY name", keyOf(table), table))
	if len(rows) == 0 {
		return "NULL", ""
	}
	r := rows[m.b.f.rng.IntN(len(rows))]
	return r[0], r[1]
}

func keyOf(table string) string {
	if table == "bio" {
		return "artist"
	}
	return "id"
}

func readAll(b *boat, sql string) (rows [][]string) {
	must(b.f.t, b.app.Each(sql, func(s *lite.Stmt) error {
		var row []string
		for i, v := range s.Row(0) {
			if i == 0 {
				row = append(row, v.String())
				continue
			}
			row = append(row, v.Str())
		}
		rows = append(rows, row)
		return nil
	}))
	return rows
}

func shown(names ...string) string {
	var vs []tidemark.Value
	for i, n := range names {
		if n == "" && i > 0 {
			vs = append(vs, tidemark.Null)
			continue
		}
		vs = append(vs, tidemark.Text(n))
	}
	return fmt.Sprint(vs)
}

// write runs a few statements in one transaction.
func (m *musician) write() {
	must(m.b.f.t, m.b.app.Transaction(func() error {
		for range 1 + m.b.f.rng.IntN(4) {
			m.one()
		}
		return nil
	}))
}

func (m *musician) one() {
	b := m.b
	b.made++
	name := fmt.Sprintf("%s%d", b.name, b.made)
	run := func(sql string, args ...any) { must(b.f.t, b.app.Run(fmt.Sprintf(sql, args...))) }
	put := func(table string, refs ...string) {
		m.want[table][name] = shown(append([]string{name}, refs...)...)
	}
	artist, artistName := m.pick("artist")
	album, albumName := m.pick("album")
	track, trackName := m.pick("track")
	bio, bioName := m.pick("bio")
	switch n := b.f.rng.IntN(12); {
	case n < 2 || artist == "NULL":
		if b.f.rng.IntN(2) == 0 {
			artist, artistName = "NULL", ""
		}
		run("INSERT INTO artist (name, idol, best) VALUES ('%s', %s, %s)", name, artist, album)
		put("artist", artistName, albumName)
	case n < 4:
		run("INSERT INTO album (name, artist) VALUES ('%s', %s)", name, artist)
		put("album", artistName)
	case n < 6:
		run("INSERT INTO track (name, album) VALUES ('%s', %s)", name, album)
		put("track", albumName)
	case n == 6:
		m.biography(name, run, put)
	case n == 7 && bio != "NULL":
		run("INSERT INTO line (name, bio) VALUES ('%s', %s)", name, bio)
		put("line", bioName)
	case n == 8 && track != "NULL":
		if strings.HasPrefix(trackName, b.name) && !m.told("list", trackName, artistName) {
			run("INSERT INTO list (name, track, artist) VALUES ('%s', %s, %s)", name, track, artist)
			put("list", trackName, artistName)
		}
	case n == 9:
		m.change(run, artist, artistName)
	default:
		m.private(name, run)
	}
}

// biography is written of an artist of one's own that has none.
func (m *musician) biography(name string, run func(string, ...any), put func(string, ...string)) {
	rows := readAll(m.b, fmt.Sprintf("SELECT id, name FROM artist WHERE name LIKE '%s%%' AND name NOT LIKE '%%!' AND id NOT IN (SELECT artist FROM bio)", m.b.name))
	// One that waits for its verdict is not to be seen, and yet is there.
	if len(rows) > 0 && !m.told("bio", rows[0][1]) {
		run("INSERT INTO bio (artist, name) VALUES (%s, '%s')", rows[0][0], name)
		put("bio", rows[0][1])
	}
}

// told reports whether a row with these references is to be expected.
func (m *musician) told(table string, refs ...string) bool {
	tail := strings.TrimPrefix(shown(append([]string{""}, refs...)...), "['' ")
	for _, row := range m.want[table] {
		if strings.HasSuffix(row, " "+tail) {
			return true
		}
	}
	return false
}

// waits reports whether a changeset is suspended: then its rows show for a
// while what they held before it, and what is done to them there comes too late.
func (m *musician) waits() bool {
	st, err := m.b.r.Status()
	must(m.b.f.t, err)
	return st.Suspended > 0
}

// change lets a row of one's own refer to another one.
func (m *musician) change(run func(string, ...any), artist, artistName string) {
	rows := readAll(m.b, fmt.Sprintf("SELECT id, name FROM album WHERE name LIKE '%s%%'", m.b.name))
	if len(rows) == 0 || m.waits() {
		return
	}
	r := rows[m.b.f.rng.IntN(len(rows))]
	run("UPDATE album SET artist = %s WHERE id = %s", artist, r[0])
	m.want["album"][r[1]] = shown(r[1], artistName)
}

// private rows are those that nobody else refers to: they come, get another id
// and go.
func (m *musician) private(name string, run func(string, ...any)) {
	rows := readAll(m.b, fmt.Sprintf("SELECT id, name FROM artist WHERE name LIKE '%s%%!'", m.b.name))
	switch n := m.b.f.rng.IntN(4); {
	case len(rows) == 0 || n < 2 || m.waits():
		name += "!"
		run("INSERT INTO artist (name) VALUES ('%s')", name)
		m.want["artist"][name] = shown(name, "", "")
	case n == 2:
		run("DELETE FROM artist WHERE id = %s", rows[0][0])
		delete(m.want["artist"], rows[0][1])
	default:
		run("UPDATE artist SET id = (SELECT max(id) + 1 FROM artist) WHERE id = %s", rows[0][0])
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
