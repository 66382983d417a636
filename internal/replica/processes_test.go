package replica

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// TestWritersBesideTheEngine lets two apps write, and another engine seal,
// while batches are applied: nothing may get lost and nothing may be applied
// twice.
func TestWritersBesideTheEngine(t *testing.T) {
	o := newOrigin(t, "CREATE TABLE n (id INTEGER PRIMARY KEY, v INTEGER NOT NULL, by TEXT UNIQUE)")
	d := o.clone()
	const each = 60
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			app, err := lite.Open(d.path, lite.Options{})
			if err != nil {
				t.Error(err)
				return
			}
			defer app.Close()
			for i := range each {
				sql := fmt.Sprintf("INSERT INTO n VALUES (%d, 0, 'w%d.%d'); UPDATE n SET v = v + 1 WHERE id = %d", 1000*(w+1)+i, w, i, 1000*(w+1)+i/2)
				if err := app.Transaction(func() error { return app.Script(sql) }); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Add(1)
	go func() {
		defer wg.Done()
		other, err := Open(d.path, Options{})
		if err != nil {
			t.Error(err)
			return
		}
		defer other.Close()
		for range each {
			if _, err := other.Seal(1); err != nil {
				t.Error(err)
			}
		}
	}()
	for i := range each {
		b := o.do(fmt.Sprintf("INSERT INTO n VALUES (%d, 1, 's%d')", i, i))
		d.applyWell(b)
	}
	wg.Wait()
	d.seal()
	want := newOracle(o.schema, o.rows)
	if misfits := want.fold(d.pending()); len(misfits) > 0 {
		t.Fatalf("misfits %v", misfits)
	}
	compareRows(t, o.schema, d.rows(), want.images())
	d.want("SELECT count(*), sum(v) FROM n", fmt.Sprintf("[%d %d]", 3*each, 3*each))
	d.checkBase(o.rows)
}

func TestLeaseTakenOverByAnother(t *testing.T) {
	o := newOrigin(t, people)
	d := o.clone()
	first, second := o.do("UPDATE person SET name = '1' WHERE id = 1"), o.do("UPDATE person SET name = '2' WHERE id = 1")
	if _, err := d.r.TakeFence(); err != nil {
		t.Fatal(err)
	}
	d.applyWell(first)
	other, err := Open(d.path, Options{})
	must(t, err)
	defer other.Close()
	_, err = other.TakeFence()
	must(t, err)
	if _, err := d.r.Apply(second, nil, 1); !errors.Is(err, ErrMoved) {
		t.Fatalf("%v", err)
	}
	if _, err := other.Apply(second, nil, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := d.r.RepairAll([]RangeRows{{Table: 1}}, tidemark.CodeUncaptured, 1); !errors.Is(err, ErrMoved) {
		t.Fatalf("%v", err)
	}
	compareRows(t, o.schema, d.rows(), o.rows)
}
