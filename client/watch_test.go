package client

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark/internal/lite"
)

// recorder collects what a live query tells.
type recorder struct{ ch chan string }

func newRecorder() *recorder { return &recorder{make(chan string, 100)} }

func (r *recorder) hear(res *Result, err error) {
	if err != nil {
		r.ch <- "error: " + err.Error()
		return
	}
	r.ch <- text(res)
}

func (r *recorder) want(t *testing.T, want string) {
	t.Helper()
	select {
	case got := <-r.ch:
		if got != want {
			t.Fatalf("told %q, want %q", got, want)
		}
	case <-time.After(testPatience):
		t.Fatalf("never told %q", want)
	}
}

func (r *recorder) silent(t *testing.T) {
	t.Helper()
	select {
	case got := <-r.ch:
		t.Fatalf("told %q", got)
	default:
	}
}

// hears waits until it was told n times, of whatever.
func (r *recorder) hears(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		select {
		case <-r.ch:
		case <-time.After(testPatience):
			t.Fatalf("told %d times, and not %d", i, n)
		}
	}
}

func watch(t *testing.T, db *DB, sql string, args ...any) *recorder {
	t.Helper()
	r := newRecorder()
	stop, err := db.Watch(t.Context(), sql, args, r.hear)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return r
}

func TestWatchTellsOwnAndForeignCommits(t *testing.T) {
	path := localReplica(t)
	db := open(t, path, Options{})
	other := open(t, path, Options{})
	r := watch(t, db, "SELECT count(*) FROM artist")
	r.want(t, "2")
	mustExec(t, db, "INSERT INTO artist (name) VALUES ('own')")
	r.want(t, "3")
	mustExec(t, other, "INSERT INTO artist (name) VALUES ('other handle')")
	r.want(t, "4")
	raw, err := lite.Open(path, lite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Run("INSERT INTO artist (name) VALUES ('any program')"); err != nil {
		t.Fatal(err)
	}
	r.want(t, "5")
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
}

// The proof that a live query on a table that nobody touched does not run.
func TestWatchRunsOnlyWhatACommitConcerns(t *testing.T) {
	path := localReplica(t)
	db := open(t, path, Options{})
	albums, artists, notes := "SELECT count(*) FROM album", "SELECT count(*) FROM artist", "SELECT count(*) FROM note"
	ra, rr, rn := watch(t, db, albums), watch(t, db, artists), watch(t, db, notes)
	ra.want(t, "2")
	rr.want(t, "2")
	rn.want(t, "0")
	for i := range 5 {
		mustExec(t, db, "INSERT INTO artist (name) VALUES (?)", fmt.Sprint("a", i))
		rr.want(t, fmt.Sprint(3+i))
	}
	if _, err := db.DryRun(t.Context()); err == nil { // seals
		t.Fatal("there is no server")
	}
	mustExec(t, db, "INSERT INTO note VALUES ('now', 'unsynced')")
	rn.want(t, "1")
	runs := db.WatchStats().ByQuery
	if runs[albums] != 1 {
		t.Errorf("the query on the table that was not touched ran %d times", runs[albums])
	}
	if runs[artists] < 6 {
		t.Errorf("the query on the table that was touched ran %d times", runs[artists])
	}
	ra.silent(t)
}

func TestWatchersOfOneQueryShareItsRuns(t *testing.T) {
	db := open(t, localReplica(t), Options{})
	sql := "SELECT name FROM artist WHERE id = ?"
	all := []*recorder{watch(t, db, sql, 1), watch(t, db, sql, 1), watch(t, db, sql, int64(1))}
	other := watch(t, db, sql, 2)
	for _, r := range all {
		r.want(t, "'Ada'")
	}
	other.want(t, "'Grace'")
	if n := db.WatchStats().Queries; n != 2 {
		t.Errorf("%d queries", n)
	}
	before := db.WatchStats().Runs
	mustExec(t, db, "UPDATE artist SET name = 'Ada L.' WHERE id = 1")
	for _, r := range all {
		r.want(t, "'Ada L.'")
	}
	if n := db.WatchStats().Runs - before; n > 2 {
		t.Errorf("%d runs for one commit", n)
	}
	other.silent(t) // its result did not change
}

func TestOneCommitOfManyChangesIsOneRun(t *testing.T) {
	db := open(t, localReplica(t), Options{Poll: time.Hour})
	r := watch(t, db, "SELECT count(*), sum(id) FROM artist")
	r.want(t, "2,3")
	before := db.WatchStats().Runs
	err := db.Transaction(t.Context(), func(tx *Tx) error {
		for i := range 500 {
			if _, err := tx.Exec("INSERT INTO artist VALUES (?, ?)", 10+i, fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r.want(t, "502,129753")
	if n := db.WatchStats().Runs - before; n != 1 {
		t.Errorf("%d runs", n)
	}
}

func TestWatchFollowsViewsAndStructure(t *testing.T) {
	db := open(t, localReplica(t), Options{})
	mustExec(t, db, "CREATE VIEW work AS SELECT a.name, b.title FROM artist a JOIN album b ON b.artist = a.id")
	r := watch(t, db, "SELECT * FROM work WHERE title LIKE 'F%'")
	r.want(t, "'Ada','First'")
	mustExec(t, db, "UPDATE artist SET name = 'A' WHERE id = 1")
	r.want(t, "'A','First'")
	mustExec(t, db, "DROP VIEW work")
	if got := <-r.ch; !strings.Contains(got, "no such table") {
		t.Fatal(got)
	}
	mustExec(t, db, "CREATE VIEW work AS SELECT title FROM album")
	r.want(t, "'First'")
}

// SQLite does not report a table of which only the columns of a join are read.
func TestWatchFollowsTablesThatAreOnlyJoined(t *testing.T) {
	db := open(t, localReplica(t), Options{})
	mustExec(t, db, "CREATE VIEW by_id AS SELECT a.name FROM artist a JOIN album USING (id)")
	direct := watch(t, db, "SELECT a.name FROM artist AS a JOIN album USING (id) ORDER BY 1")
	view := watch(t, db, "SELECT name FROM by_id ORDER BY 1")
	for _, r := range []*recorder{direct, view} {
		r.want(t, "'Ada'; 'Grace'")
	}
	mustExec(t, db, "DELETE FROM album WHERE id = 1")
	for _, r := range []*recorder{direct, view} {
		r.want(t, "'Grace'")
	}
}

func TestWatchEnds(t *testing.T) {
	db := open(t, localReplica(t), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	r := newRecorder()
	if _, err := db.Watch(ctx, "SELECT 1", nil, r.hear); err != nil {
		t.Fatal(err)
	}
	r.want(t, "1")
	cancel()
	eventually(t, "the query ends", func() bool { return db.WatchStats().Queries == 0 })
	if _, err := db.Watch(t.Context(), "SELECT nonsense FROM nowhere", nil, r.hear); err == nil {
		t.Fatal("a query that cannot be")
	}
	var stop func()
	stopped := make(chan struct{})
	ready := make(chan struct{})
	stop, err := db.Watch(t.Context(), "SELECT 2", nil, func(*Result, error) { <-ready; stop(); close(stopped) })
	if err != nil {
		t.Fatal(err)
	}
	close(ready)
	<-stopped
}
