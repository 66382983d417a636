package sample

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/dice"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

func TestOneSeedGivesTheSameRows(t *testing.T) {
	seed := dice.Seed(t)
	first := dump(t, create(t, Options{Seed: seed, Tracks: 200}))
	if second := dump(t, create(t, Options{Seed: seed, Tracks: 200})); first != second {
		t.Error("the same seed gave other rows")
	}
	if other := dump(t, create(t, Options{Seed: seed + 1, Tracks: 200})); first == other {
		t.Error("another seed gave the same rows")
	}
}

func TestRowsKeepTheConstraints(t *testing.T) {
	for _, tracks := range []int{10, 37, 1000} {
		db := open(t, create(t, Options{Tracks: tracks}))
		if got, err := db.Int("SELECT count(*) FROM Track"); err != nil || got != int64(tracks) {
			t.Errorf("%d tracks made, %d wanted, %v", got, tracks, err)
		}
		if broken, err := db.Get("PRAGMA foreign_key_check"); err != nil || broken != nil {
			t.Errorf("foreign keys: %v, %v", broken, err)
		}
		if ok, err := db.Text("PRAGMA integrity_check"); err != nil || ok != "ok" {
			t.Errorf("integrity: %s, %v", ok, err)
		}
		wrong, err := db.Int(`SELECT count(*) FROM Invoice WHERE Total IS NOT
			(SELECT round(sum(UnitPrice * Quantity), 2) FROM InvoiceLine WHERE InvoiceLine.InvoiceId = Invoice.InvoiceId)`)
		if err != nil || wrong != 0 {
			t.Errorf("%d invoices with a wrong total, %v", wrong, err)
		}
	}
}

func TestTriggersKeepTheTotal(t *testing.T) {
	db := open(t, create(t, Options{Tracks: 10}))
	const total = "SELECT CAST(round(Total * 100) AS INTEGER) FROM Invoice WHERE InvoiceId = 1"
	before, err := db.Int(total)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		sql  string
		more int64
	}{
		{"INSERT INTO InvoiceLine VALUES (1, 99, 1, 2.5, 2)", 500},
		{"UPDATE InvoiceLine SET Quantity = 1 WHERE InvoiceId = 1 AND Line = 99", 250},
		{"DELETE FROM InvoiceLine WHERE InvoiceId = 1 AND Line = 99", 0},
	} {
		if err := db.Run(step.sql); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Int(total); err != nil || got != before+step.more {
			t.Errorf("after %s the total is %d, want %d (%v)", step.sql, got, before+step.more, err)
		}
	}
}

func TestCreateRefuses(t *testing.T) {
	path := create(t, Options{Tracks: 10})
	before := dump(t, path)
	_, err := Create(context.Background(), path, Options{})
	if tidemark.CodeOf(err) != tidemark.CodeExists {
		t.Errorf("an existing file: %v", err)
	}
	if dump(t, path) != before {
		t.Error("the existing file was changed")
	}
	for _, n := range []int{-1, 9, maxTracks + 1} {
		other := filepath.Join(t.TempDir(), "x.sqlite")
		if _, err := Create(context.Background(), other, Options{Tracks: n}); tidemark.CodeOf(err) != tidemark.CodeUsage {
			t.Errorf("%d tracks: %v", n, err)
		}
		if _, err := os.Stat(other); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%d tracks left a file behind", n)
		}
	}
}

func TestAnInterruptedCreateLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	path := filepath.Join(t.TempDir(), "x.sqlite")
	if _, err := Create(ctx, path, Options{}); err == nil {
		t.Fatal("made although its context had ended")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("half a sample was left behind")
	}
}

func create(t *testing.T, o Options) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sample.sqlite")
	sum, err := Create(context.Background(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Rows == 0 || sum.Tables != len(tables) {
		t.Errorf("summary %+v", sum)
	}
	return path
}

func open(t *testing.T, path string) *lite.DB {
	t.Helper()
	db, err := lite.Open(path, lite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Run("PRAGMA foreign_keys = ON"); err != nil {
		t.Fatal(err)
	}
	return db
}

// dump writes every row of every table, in key order.
func dump(t *testing.T, path string) string {
	t.Helper()
	db := open(t, path)
	var names []string
	err := db.Each("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", func(s *lite.Stmt) error {
		names = append(names, s.Text(0))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name + "\n")
		err := db.Each("SELECT * FROM "+lite.Quote(name)+" ORDER BY 1, 2", func(s *lite.Stmt) error {
			for _, v := range s.Row(0) {
				b.WriteString(v.String() + "|")
			}
			b.WriteString("\n")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}
