package client

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"

	"github.com/tidemarkdb/tidemark"
)

// LockSuffix is what the name of the lock file of a replica ends in. The
// process that syncs holds an advisory lock on it, which the operating system
// gives up when the process dies. The file itself stays; it means nothing.
const LockSuffix = "-tidemark-lock"

// lease is the right to sync a file.
type lease struct {
	lock *flock.Flock
	me   holder
}

// holder is what the process that syncs writes into the lock file, for those
// who wait. Nothing that must be right hangs on it.
type holder struct {
	PID   int    `json:"pid"`
	Host  string `json:"host"`
	Since string `json:"since"`
	Live  bool   `json:"live"` // it has a session with the server
}

func newLease(path string) *lease { return &lease{lock: flock.New(path + LockSuffix)} }

// try takes the lease if nobody has it.
func (l *lease) try() (bool, error) {
	ok, err := l.lock.TryLock()
	if err != nil || !ok {
		return ok, err
	}
	host, _ := os.Hostname()
	l.me = holder{PID: os.Getpid(), Host: host, Since: time.Now().UTC().Format(time.RFC3339)}
	l.write()
	return true, nil
}

func (l *lease) write() {
	if b, err := json.Marshal(l.me); err == nil {
		_ = os.WriteFile(l.lock.Path(), append(b, '\n'), 0o644)
	}
}

// tell writes down whether there is a session with the server.
func (l *lease) tell(live bool) {
	if l.me.PID != 0 && l.me.Live != live {
		l.me.Live = live
		l.write()
	}
}

// holder reads who has the lease; the zero holder when nobody says so.
func (l *lease) holder() (h holder) {
	if b, err := os.ReadFile(l.lock.Path()); err == nil {
		_ = json.Unmarshal(b, &h)
	}
	return h
}

func (l *lease) release() {
	l.tell(false)
	_ = l.lock.Close()
}

// held is the error of somebody who cannot wait for the lease any longer.
func (l *lease) held() error {
	who := "another process"
	if h := l.holder(); h.PID != 0 {
		who = fmt.Sprintf("process %d on %s (since %s)", h.PID, h.Host, h.Since)
	}
	return &tidemark.Error{Code: tidemark.CodeBusy, Op: "sync",
		Msg:  who + " syncs this file and has not settled everything yet",
		Hint: "what was written here is sent by that process; look at its messages, or end it and sync again"}
}
