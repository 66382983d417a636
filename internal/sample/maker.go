package sample

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// maker fills the tables from one random source, in one fixed order.
type maker struct {
	db   *lite.DB
	rng  *rand.Rand
	used map[string]bool // values that must be unique
	rows int64
}

// firstDay is a fixed day, so that a sample does not depend on when it was made.
var firstDay = time.Date(2021, 1, 4, 0, 0, 0, 0, time.UTC)

func (m *maker) all(tracks int) error {
	for _, sql := range tables {
		if err := m.db.Run(sql); err != nil {
			return err
		}
	}
	artists, albums := max(tracks/25, 3), max(tracks/10, 5)
	customers := max(tracks/40, 5)
	steps := []func() error{
		func() error { return m.artists(artists) },
		m.genres,
		func() error { return m.albums(albums, artists) },
		func() error { return m.tracks(tracks, albums) },
		func() error { return m.playlists(tracks) },
		m.employees,
		func() error { return m.customers(customers) },
		func() error { return m.invoices(customers*5, customers, tracks) },
		m.extras,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) extras() error {
	for _, sql := range extras {
		if err := m.db.Run(sql); err != nil {
			return err
		}
	}
	return nil
}

// insert adds one row; the values are Go values as database/sql takes them.
func (m *maker) insert(table string, values ...any) error {
	args := make([]tidemark.Value, len(values))
	for i, x := range values {
		v, err := tidemark.ValueOf(x)
		if err != nil {
			return err
		}
		args[i] = v
	}
	m.rows++
	return m.db.Run("INSERT INTO "+table+" VALUES ("+strings.Repeat("?, ", len(args)-1)+"?)", args...)
}

func (m *maker) pick(words []string) string { return words[m.rng.IntN(len(words))] }

// unique draws until the drawn text is new within its kind; after some tries
// it adds a number, so that it ends whatever the size.
func (m *maker) unique(kind string, draw func() string) string {
	for i := 1; ; i++ {
		s := draw()
		if i > 20 {
			s = fmt.Sprintf("%s %d", s, len(m.used))
		}
		if k := kind + "\x00" + strings.ToLower(s); !m.used[k] {
			m.used[k] = true
			return s
		}
	}
}

func (m *maker) day(span int) string {
	return firstDay.AddDate(0, 0, m.rng.IntN(span)).Format(time.DateOnly)
}

// some returns x, or NULL once in n times.
func (m *maker) some(n int, x any) any {
	if m.rng.IntN(n) == 0 {
		return nil
	}
	return x
}

// many picks a noun in the plural.
func (m *maker) many() string {
	n := m.pick(nouns)
	switch {
	case strings.HasSuffix(n, "s") || strings.HasSuffix(n, "sh"):
		return n + "es"
	case strings.HasSuffix(n, "y"):
		return strings.TrimSuffix(n, "y") + "ies"
	}
	return n + "s"
}

func (m *maker) artistName() string {
	switch m.rng.IntN(4) {
	case 0:
		return "The " + m.pick(adjectives) + " " + m.many()
	case 1:
		return m.pick(firstNames) + " " + m.pick(lastNames)
	case 2:
		return m.pick(nouns) + " & " + m.pick(nouns)
	}
	return m.pick(adjectives) + " " + m.pick(nouns)
}

func (m *maker) trackName() string {
	switch m.rng.IntN(4) {
	case 0:
		return m.pick(verbs) + " the " + m.pick(nouns)
	case 1:
		return m.pick(nouns) + " " + m.pick(places)
	case 2:
		return m.pick(adjectives) + " " + m.pick(nouns)
	}
	return m.pick(verbs) + " " + m.many() + " " + m.pick(places)
}

func (m *maker) artists(n int) error {
	for id := 1; id <= n; id++ {
		if err := m.insert("Artist", id, m.unique("artist", m.artistName)); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) genres() error {
	for i, name := range genres {
		if err := m.insert("Genre", i+1, name); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) albums(n, artists int) error {
	for id := 1; id <= n; id++ {
		artist := 1 + m.rng.IntN(artists)
		title := m.unique(fmt.Sprintf("album of %d", artist), m.trackName)
		if err := m.insert("Album", id, title, artist, m.some(10, 1970+m.rng.IntN(55))); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) tracks(n, albums int) error {
	place := make([]int, albums+1)
	for id := 1; id <= n; id++ {
		album := 1 + m.rng.IntN(albums)
		place[album]++
		price := 0.99
		if m.rng.IntN(12) == 0 {
			price = 1.49
		}
		err := m.insert("Track", id, m.trackName(), album, place[album],
			m.some(15, 1+m.rng.IntN(len(genres))), 45_000+m.rng.IntN(420_000), price)
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) playlists(tracks int) error {
	for i, name := range playlist {
		if err := m.insert("Playlist", i+1, name); err != nil {
			return err
		}
		for _, t := range m.rng.Perm(tracks)[:tracks/(4+i)] {
			if err := m.insert("PlaylistTrack", i+1, t+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *maker) email(first, last string) string {
	return m.unique("email", func() string {
		return fmt.Sprintf("%s.%s%d@example.com", plain(first), plain(last), m.rng.IntN(1000))
	})
}

// plain keeps what may stand in a mail address without quoting.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(s))
	if s == "" {
		return "x"
	}
	return s
}

func (m *maker) employees() error {
	for id := 1; id <= 8; id++ {
		first, last := m.pick(firstNames), m.pick(lastNames)
		title, boss := m.pick(titles), any(1+(id-1)/4)
		if id == 1 {
			title, boss = "Owner", nil
		}
		if err := m.insert("Employee", id, first, last, title, boss, m.day(900), m.email(first, last)); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) customers(n int) error {
	for id := 1; id <= n; id++ {
		first, last := m.pick(firstNames), m.pick(lastNames)
		company := any(nil)
		if m.rng.IntN(4) == 0 {
			company = m.pick(adjectives) + " " + m.pick(nouns) + " Ltd"
		}
		street := fmt.Sprintf("%d %s Street", 1+m.rng.IntN(120), m.pick(nouns))
		err := m.insert("Customer", id, first, last, company, m.some(8, street), m.pick(towns),
			m.email(first, last), m.some(9, 2+m.rng.IntN(7)))
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) invoices(n, customers, tracks int) error {
	for id := 1; id <= n; id++ {
		if err := m.insert("Invoice", id, 1+m.rng.IntN(customers), m.day(1400), 0); err != nil {
			return err
		}
		for line, n := 1, 1+m.rng.IntN(6); line <= n; line++ {
			err := m.insert("InvoiceLine", id, line, 1+m.rng.IntN(tracks), 0.99, 1+m.rng.IntN(2))
			if err != nil {
				return err
			}
		}
	}
	return nil
}
