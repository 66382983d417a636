package wire

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// Each fuzz target asks of every input: either an error, or a message whose
// encoding is JSON that decodes to the same message.

func FuzzDecodeUp(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, kind := range allUp {
		for range 10 {
			m := newUp(kind)
			fill(r, reflect.ValueOf(m).Elem())
			f.Add(AppendUp(nil, m))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := DecodeUp(in)
		if err != nil {
			refused(t, err)
			return
		}
		b := AppendUp(nil, m)
		again, err := DecodeUp(b)
		same(t, in, b, again, m, err)
	})
}

func FuzzDecodeDown(f *testing.F) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, kind := range allDown {
		for range 10 {
			m := newDown(kind)
			fill(r, reflect.ValueOf(m).Elem())
			f.Add(AppendDown(nil, m))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := DecodeDown(in)
		if err != nil {
			refused(t, err)
			return
		}
		dropRaw(m)
		b := AppendDown(nil, m)
		again, err := DecodeDown(b)
		if err == nil {
			dropRaw(again)
		}
		same(t, in, b, again, m, err)
	})
}

func FuzzDecodeChanges(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 30 {
		f.Add(AppendChanges(nil, randomChanges(r, true), true))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := DecodeChanges(in)
		if err != nil {
			refused(t, err)
			return
		}
		b := AppendChanges(nil, m, true)
		again, err := DecodeChanges(b)
		same(t, in, b, again, m, err)
	})
}

func FuzzDecodeValues(f *testing.F) {
	f.Add(AppendValues(nil, oddValues))
	for _, v := range oddValues {
		f.Add(AppendValues(nil, []tidemark.Value{v}))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := DecodeValues(in)
		if err != nil {
			refused(t, err)
			return
		}
		b := AppendValues(nil, m)
		again, err := DecodeValues(b)
		same(t, in, b, again, m, err)
	})
}

func FuzzDecodeOutcome(f *testing.F) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 30 {
		var o tidemark.Outcome
		fill(r, reflect.ValueOf(&o).Elem())
		f.Add(AppendOutcome(nil, &o))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := DecodeOutcome(in)
		if err != nil {
			refused(t, err)
			return
		}
		b := AppendOutcome(nil, m)
		again, err := DecodeOutcome(b)
		same(t, in, b, again, m, err)
	})
}

func refused(t *testing.T, err error) {
	if tidemark.CodeOf(err) != tidemark.CodeProtocol {
		t.Fatalf("%v has code %q", err, tidemark.CodeOf(err))
	}
}

func same(t *testing.T, in, b []byte, got, want any, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v\nwas %s", b, err, in)
	}
	if !json.Valid(b) || bytes.ContainsAny(b, "\r\n") && !bytes.ContainsAny(in, "\r\n") {
		t.Fatalf("not JSON on one line: %s", b)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s\nbecame %s\n got %+v\nwant %+v", in, b, got, want)
	}
}
