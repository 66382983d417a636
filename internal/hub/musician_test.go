package hub_test

import (
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

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
