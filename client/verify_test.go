package client

import (
	"testing"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

func TestVerifyFindsWhatCaptureNeverSaw(t *testing.T) {
	s := serve(t)
	a := s.clone(Options{})
	r, err := a.Verify(t.Context())
	if err != nil || r.Differed != 0 || r.Rows != 4 || r.Tables != 3 {
		t.Fatalf("%+v %v", r, err)
	}
	raw, err := lite.Open(a.Path(), lite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.SetTriggers(false); err != nil {
		t.Fatal(err)
	}
	if err := raw.Run("UPDATE artist SET name = 'rotten' WHERE id = 2"); err != nil {
		t.Fatal(err)
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	r, err = a.Verify(t.Context())
	if err != nil || r.Differed != 1 || r.Saved != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	s.converged(a)
	list, err := a.Rejected()
	if err != nil || len(list) != 1 || list[0].Code != tidemark.CodeUncaptured {
		t.Fatalf("%+v %v", list, err)
	}
	if r, err = a.Verify(t.Context()); err != nil || r.Differed != 0 {
		t.Fatalf("%+v %v", r, err)
	}
}

func TestVerifyOverHTTP(t *testing.T) {
	s := serve(t)
	a := s.clone(Options{Transport: "http"})
	if r, err := a.Verify(t.Context()); err != nil || r.Rows != 4 {
		t.Fatalf("%+v %v", r, err)
	}
}
