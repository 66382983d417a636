package client

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// helper makes this test program a process that keeps a copy in sync and
// writes into it until it is killed.
const helper = "TIDEMARK_CLIENT_HELPER"

func TestMain(m *testing.M) {
	if path := os.Getenv(helper); path != "" {
		help(path)
		return
	}
	os.Exit(m.Run())
}

func help(path string) {
	db, err := Open(path, Options{})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		for i := 0; ; i++ {
			_, _ = db.Exec(context.Background(), "INSERT INTO artist (name) VALUES (?)", fmt.Sprintf("process %d, %d", os.Getpid(), i))
			time.Sleep(3 * time.Millisecond) // as an app writes; whoever watches counts its commits
		}
	}()
	fmt.Fprintln(os.Stderr, db.Run(context.Background()))
	os.Exit(1)
}

func startHelper(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helper+"="+path)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// Processes that sync one copy die one after the other, in the middle of
// whatever they do; the one that is left takes over, and nothing is lost.
func TestProcessesDieAndOthersTakeOver(t *testing.T) {
	s := serve(t)
	db := s.clone(Options{})
	for round := range 4 {
		cmd := startHelper(t, db.Path())
		eventually(t, "the helper syncs", func() bool {
			h := newLease(db.Path()).holder()
			return h.Live && h.PID == cmd.Process.Pid
		})
		r := watch(t, db, "SELECT count(*) FROM artist WHERE name LIKE ?", fmt.Sprintf("process %d,%%", cmd.Process.Pid))
		r.hears(t, 3) // its commits
		mustExec(t, db, "INSERT INTO artist VALUES (?, ?)", -1-round, fmt.Sprint("own ", round))
		ran := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { ran <- db.Run(ctx) }()
		r.hears(t, 1+4*round) // the moment of the kill varies
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		eventually(t, "this process takes over", func() bool {
			h := newLease(db.Path()).holder()
			return h.Live && h.PID == os.Getpid()
		})
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	}
	s.converged(db)
	if got := mustQuery(t, db, "SELECT count(*) FROM artist WHERE id < 0"); got != "4" {
		t.Error(got)
	}
}
