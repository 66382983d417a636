package server

import (
	"testing"

	"github.com/tidemarkdb/tidemark"
)

func TestASecondServerDoesNotDisturbTheFirst(t *testing.T) {
	d := newDeck(t, Options{}, testTuning())
	v := d.newDevice()
	v.dial()
	for range 2 {
		if _, err := Open(d.path, Options{TempDir: t.TempDir()}); tidemark.CodeOf(err) != tidemark.CodeBusy {
			t.Fatal(err)
		}
		v.send(v.push(insertItem(v.n, "one")))
		if o := v.outcome(); o.Kind == "" {
			t.Fatalf("%+v", o)
		}
	}
}
