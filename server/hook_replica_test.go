package server_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/server"
)

const shelfSchema = `
CREATE TABLE shelf (id INTEGER PRIMARY KEY, name TEXT UNIQUE, size INTEGER);
CREATE TABLE book (id INTEGER PRIMARY KEY, shelf INTEGER REFERENCES shelf ON DELETE CASCADE, title TEXT, note TEXT);
`

// whim is a hook that is slow, fails, rejects and amends at random.
type whim struct {
	mu  sync.Mutex
	rng *rand.Rand
	did map[string]int
}

func (w *whim) draw(n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.rng.IntN(n)
}

func (w *whim) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.did[what]++
}

func (w *whim) judge(_ context.Context, call *server.HookCall) error {
	if w.draw(4) == 0 {
		time.Sleep(time.Duration(w.draw(4000)) * time.Microsecond) // longer than is waited for, or not
	}
	switch w.draw(12) {
	case 0, 1:
		w.note("fails")
		return errors.New("not now")
	case 2, 3:
		w.note("rejects")
		return server.Reject("whim", "not this one")
	case 4, 5, 6, 7:
		return nil
	}
	w.note("amends")
	for i, c := range call.Changes {
		switch {
		case w.draw(6) == 0:
			c.Drop()
		case c.Op != tidemark.Delete && c.Table == "book":
			c.Set("note", tidemark.Text(fmt.Sprintf("%s/%d/%d", call.Replica[:4], call.N, i)))
		case c.Op != tidemark.Delete:
			c.Set("size", tidemark.Int(int64(w.draw(5))))
		}
	}
	if w.draw(3) == 0 {
		call.Insert("book", server.HookRow{"title": tidemark.Text("a gift")})
	}
	return nil
}

// Whatever a hook does and whenever it answers, replicas end with the server's
// rows, and with an outcome for everything that they sent.
func TestReplicasFollowWhatAHookDecides(t *testing.T) {
	seed := dice.Seed(t)
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &whim{rng: rand.New(rand.NewPCG(seed, 2)), did: map[string]int{}}
	path := filepath.Join(t.TempDir(), "shelf.sqlite")
	db, err := lite.Open(path, lite.Options{Create: true})
	if err == nil {
		err = errors.Join(db.Script(shelfSchema), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.Open(path, server.Options{Hook: w.judge, TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv)
	defer web.Close()
	defer func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	}()
	copies := make([]*client.DB, 3)
	for i := range copies {
		file := filepath.Join(t.TempDir(), "copy.db")
		if err := client.Clone(t.Context(), web.URL+"/shelf", file, client.CloneOptions{}); err != nil {
			t.Fatal(err)
		}
		if copies[i], err = client.Open(file, client.Options{}); err != nil {
			t.Fatal(err)
		}
		defer copies[i].Close()
	}
	for range 80 {
		c := copies[rng.IntN(len(copies))]
		for range 1 + rng.IntN(4) {
			_, _ = c.Exec(t.Context(), randomStatement(rng)) // some break a constraint here already
		}
		if rng.IntN(2) == 0 {
			if _, err := c.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		for _, c := range copies {
			if _, err := c.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range copies {
		st, err := c.Status()
		if err != nil || st.Pending != 0 {
			t.Fatalf("%+v, %v", st, err)
		}
		if rep, err := c.Verify(t.Context()); err != nil || rep.Differed > 0 {
			t.Fatalf("%+v, %v", rep, err)
		}
	}
	t.Logf("%v", w.did)
	if len(w.did) == 0 {
		t.Fatal("the hook was not asked")
	}
}

func randomStatement(rng *rand.Rand) string {
	id, of, n := rng.IntN(20), 1+rng.IntN(6), rng.IntN(1000)
	return []string{
		fmt.Sprintf("INSERT INTO shelf (name, size) VALUES ('s%d', 1)", n),
		fmt.Sprintf("INSERT INTO book (shelf, title) VALUES (%d, 't%d')", of, n),
		fmt.Sprintf("INSERT INTO book (title) VALUES ('t%d')", n),
		fmt.Sprintf("UPDATE book SET title = 'u%d', shelf = NULL WHERE id = %d", n, id),
		fmt.Sprintf("UPDATE shelf SET size = size + 1, name = 'r%d' WHERE id = %d", n, of),
		fmt.Sprintf("UPDATE shelf SET id = %d WHERE id = %d", 100+n, of),
		fmt.Sprintf("DELETE FROM shelf WHERE id = %d", of),
		fmt.Sprintf("DELETE FROM book WHERE id = %d", id),
	}[rng.IntN(8)]
}
