package client

import (
	"bytes"
	"context"
	"io"
	"net/http"
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

// A comparison that breaks off again and again, while what others write still
// comes through, is given up, and whoever asked for it is told.
func TestVerifyThatNeverEndsIsGivenUp(t *testing.T) {
	s := serve(t)
	a, b := s.clone(Options{Transport: "http"}), s.clone(Options{Transport: "http"})
	real := *s.next.Load()
	asked := 0
	s.through(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Contains(body, []byte(`["g",`)) {
			r.Body = io.NopCloser(bytes.NewReader(body))
			real.ServeHTTP(w, r)
			return
		}
		asked++
		_, err = b.Exec(t.Context(), "INSERT INTO artist (name) VALUES (?)", asked)
		if _, serr := b.Sync(t.Context()); err != nil || serr != nil {
			t.Error(err, serr)
		}
		cut(w)
	}))
	ctx, cancel := context.WithTimeout(t.Context(), testPatience)
	defer cancel()
	_, err := a.Verify(ctx)
	codeIs(t, err, tidemark.CodeOffline)
	if asked != 3 || tidemark.HintOf(err) == "" {
		t.Errorf("asked %d times, then %v", asked, err)
	}
	s.through(real)
	if r, err := a.Verify(t.Context()); err != nil || r.Rows != 7 {
		t.Errorf("%+v %v", r, err)
	}
	s.converged(a, b)
}
