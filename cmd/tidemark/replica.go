package main

import (
	"context"
	"errors"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
)

// exitInReplica is exitOf for a copy, where somebody else's lock only means not now.
func exitInReplica(code tidemark.Code) int {
	if code == tidemark.CodeBusy {
		return exitOffline
	}
	return exitOf(code)
}

// withReplica opens a copy, runs fn on it and closes it.
func withReplica(path string, o client.Options, fn func(*client.DB) error) error {
	if err := replicaOnly(path); err != nil {
		return err
	}
	db, err := client.Open(path, o)
	if err != nil {
		return err
	}
	return errors.Join(fn(db), db.Close())
}

// within is ctx with an end after a while; 0 sets none.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}
