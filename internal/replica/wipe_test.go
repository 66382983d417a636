package replica

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// walCopy is a copy in WAL mode with rows that are in its WAL alone.
func walCopy(t *testing.T) (*origin, *device) {
	t.Helper()
	o := newOrigin(t, "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES (1, 'first')")
	d := &device{t: t, path: o.copyFile()}
	must(t, Create(d.path, CreateOptions{Server: "http://x", State: o.state(), Schema: o.schema}))
	plain, err := lite.Open(d.path, lite.Options{})
	must(t, err)
	if mode, err := plain.Text("PRAGMA journal_mode = wal"); err != nil || mode != "wal" {
		t.Fatal(mode, err)
	}
	must(t, plain.Close())
	d.open()
	t.Cleanup(func() {
		_ = d.app.Close()
		_ = d.r.Close()
	})
	d.applyWell(o.do("INSERT INTO t VALUES (2, 'canary')"))
	if info, err := os.Stat(d.path + "-wal"); err != nil || info.Size() == 0 {
		t.Fatal("the WAL holds nothing", err)
	}
	return o, d
}

// filesOf lists what lies at a path and beside it.
func filesOf(t *testing.T, path string) []string {
	t.Helper()
	list, err := filepath.Glob(path + "*")
	must(t, err)
	return list
}

// Wherever a wipe ends, the files that it leaves are a whole copy, or they hold
// nothing.
func TestAWipeThatIsCutLeavesACopyOrNothing(t *testing.T) {
	cut := errors.New("cut")
	whole, gone := 0, 0
	for step := 0; ; step++ {
		_, d := walCopy(t)
		must(t, os.WriteFile(d.path+".part", []byte("canary"), 0o600))
		left := step
		err := d.r.Wipe(Wiping{Beside: []string{".part"}, Remove: func(path string) error {
			if left--; left < 0 {
				return cut
			}
			return os.Remove(path)
		}})
		switch _, serr := os.Stat(d.path); {
		case serr == nil:
			if tidemark.CodeOf(err) != tidemark.CodeReadOnly {
				t.Errorf("cut at step %d: %v", step, err)
			}
			whole++
			stillWhole(t, d)
		default:
			gone++
			for _, path := range filesOf(t, d.path) {
				if b, err := os.ReadFile(path); err != nil || strings.Contains(string(b), "canary") {
					t.Errorf("cut at step %d, %s holds rows (%v)", step, path, err)
				}
			}
		}
		if err == nil {
			break
		}
	}
	if whole < 2 || gone < 2 {
		t.Errorf("cut %d times with a copy left and %d times without", whole, gone)
	}
}

// stillWhole checks that a copy has all that it had, for those who have it open
// and for those who open it.
func stillWhole(t *testing.T, d *device) {
	t.Helper()
	d.write("INSERT INTO t VALUES (3, 'later')")
	for range 2 {
		if got := d.get("SELECT group_concat(v) FROM (SELECT v FROM t ORDER BY id)"); got != "['first,canary,later']" {
			t.Errorf("the copy holds %s", got)
		}
		d.integrity()
		d.crash()
	}
}

func TestAWipeRefusesWhatIsNowhereElse(t *testing.T) {
	_, d := walCopy(t)
	refused := func(force bool, code tidemark.Code) {
		t.Helper()
		err := d.r.Wipe(Wiping{Force: force, Remove: func(string) error { t.Fatal("it deletes"); return nil }})
		if tidemark.CodeOf(err) != code {
			t.Errorf("forced %v: %v, should be %s", force, err, code)
		}
	}
	d.write("INSERT INTO t VALUES (3, 'pending')")
	refused(false, tidemark.CodePending)
	d.settle(d.rejection(d.pending()[0].N, 1, "app:no"))
	refused(false, tidemark.CodePending) // it is kept
	d.write("INSERT INTO t VALUES (4, 'in the WAL')")
	must(t, d.app.Run("BEGIN"))
	d.reads()
	impatient(t, d.r.db)
	refused(true, tidemark.CodeBusy)
	must(t, d.app.Run("ROLLBACK"))
	must(t, d.r.Wipe(Wiping{Force: true, Remove: os.Remove}))
	if left := filesOf(t, d.path); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// reads lets the app look at its rows.
func (d *device) reads() {
	d.t.Helper()
	_, err := d.app.Int("SELECT count(*) FROM t")
	must(d.t, err)
}

// impatient lets a connection not wait for locks.
func impatient(t *testing.T, db *lite.DB) {
	t.Helper()
	_, err := db.Int("PRAGMA busy_timeout = 0")
	must(t, err)
}

// Nobody writes what goes with the file.
func TestNobodyWritesIntoACopyThatIsWiped(t *testing.T) {
	_, d := walCopy(t)
	impatient(t, d.app)
	removed := 0
	d.write("UPDATE t SET v = 'mine' WHERE id = 1")
	err := d.r.Wipe(Wiping{Force: true, Remove: func(path string) error {
		if removed++; removed == 1 {
			if err := d.app.Run("INSERT INTO t VALUES (9, 'late')"); !lite.Busy(err) {
				t.Errorf("written while it is wiped: %v", err)
			}
		}
		return os.Remove(path)
	}})
	if must(t, err); removed == 0 {
		t.Error("nothing was deleted")
	}
}
