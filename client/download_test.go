package client

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// mute is a server that says so much and is silent then.
type mute struct {
	status int // 0: it does not even begin to answer
	header http.Header
	body   []string      // one every pause
	pause  time.Duration // of fake time
}

func (m *mute) RoundTrip(r *http.Request) (*http.Response, error) {
	if m.status == 0 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return &http.Response{StatusCode: m.status, Header: m.header, ContentLength: -1, Request: r, Body: io.NopCloser(&speech{r.Context(), m.body, m.pause})}, nil
}

// speech is the body of its answer.
type speech struct {
	ctx   context.Context
	words []string
	pause time.Duration
}

func (s *speech) Read(b []byte) (int, error) {
	pause := s.pause
	if len(s.words) == 0 {
		pause = 1000 * time.Hour
	}
	select {
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	case <-time.After(pause):
	}
	n := copy(b, s.words[0])
	s.words = s.words[1:]
	return n, nil
}

// Whoever waits for a snapshot that does not come is told, however far it came.
func TestACloneDoesNotWaitForEver(t *testing.T) {
	state := http.Header{wire.HeaderState: {wire.FormatState(tidemark.SpaceState{Space: "shop", Incarnation: "i", Term: "t", SchemaHash: "h"})}}
	for name, c := range map[string]struct {
		server mute
		after  time.Duration
		says   string
	}{
		"no answer":            {mute{}, 15 * time.Minute, "no answer came within 15m0s"},
		"a head and no body":   {mute{status: http.StatusOK, header: state}, time.Minute, "nothing came for 1m0s"},
		"a slow one that ends": {mute{status: http.StatusOK, header: state, body: []string{"a", "b", "c"}, pause: 50 * time.Second}, 210 * time.Second, "nothing came for 1m0s"},
		"half an error":        {mute{status: http.StatusBadGateway, body: []string{"<html>"}}, time.Minute, "nothing came for 1m0s"},
		"no snapshot":          {mute{status: http.StatusOK, body: []string{"hello"}}, time.Minute, "nothing came for 1m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "copy.db")
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := Clone(t.Context(), "http://127.0.0.1:1/shop", path, CloneOptions{HTTP: &http.Client{Transport: &c.server}})
				codeIs(t, err, tidemark.CodeOffline)
				if took := time.Since(began); took != c.after || !strings.Contains(err.Error(), c.says) {
					t.Errorf("after %v it says %v", took, err)
				}
			})
		})
	}
}
