package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/server"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// logFeed gives the demo's page the log of one space as it grows: GET
// /demo/log?after=SEQ answers with what is behind SEQ, and waits for something to
// be there. It asks nobody who they are, so it is for a space that everybody sees.
type logFeed struct {
	srv   *server.Server
	space string
	ctx   context.Context // ends when the server stops
}

const (
	feedWait  = 25 * time.Second
	feedTick  = 50 * time.Millisecond
	feedLimit = 50
)

// feed is its answer.
type feed struct {
	Space string       `json:"space"`
	Head  tidemark.Seq `json:"head"`
	Log   []entry      `json:"log"`
}

func (f *logFeed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		http.Error(w, "write it like /demo/log?after=0", http.StatusBadRequest)
		return
	}
	path, err := f.wait(r.Context(), tidemark.Seq(after))
	var out *feed
	if err == nil {
		out, err = readFeed(path, tidemark.Seq(after))
	}
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(out) // an error is one of the connection
	}
}

// wait returns the space's file once its log does not end at a seq, or when
// nothing came for a while.
func (f *logFeed) wait(ctx context.Context, after tidemark.Seq) (path string, err error) {
	ctx, cancel := context.WithTimeout(ctx, feedWait)
	defer cancel()
	tick := time.NewTicker(feedTick)
	defer tick.Stop()
	for {
		path, head, err := f.head()
		if f.ctx.Err() != nil { // the spaces are closed, or will be
			return "", &tidemark.Error{Code: tidemark.CodeShutdown, Msg: "the server stops"}
		}
		if err != nil || head != after {
			return path, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return path, nil
		case <-f.ctx.Done():
		}
	}
}

func (f *logFeed) head() (path string, head tidemark.Seq, err error) {
	list, err := f.srv.Spaces()
	if err != nil {
		return "", 0, err
	}
	for _, sp := range list {
		if sp.Name == f.space {
			return sp.Path, sp.State.Head, nil
		}
	}
	return "", 0, &tidemark.Error{Code: tidemark.CodeNoSpace, Msg: "there is no space " + f.space}
}

// readFeed reads the newest changesets behind a seq.
func readFeed(path string, after tidemark.Seq) (*feed, error) {
	r, err := sqlite.Read(path)
	if err != nil {
		return nil, err
	}
	out := &feed{Space: r.Space, Head: r.Head, Log: []entry{}}
	if after > r.Head {
		after = 0
	}
	one := logCommand{Changes: true}
	err = r.Log(after, feedLimit, func(e tidemark.LogEntry) error {
		out.Log = append(out.Log, one.entry(r.Schema, e))
		return nil
	})
	return out, errors.Join(err, r.Close())
}
