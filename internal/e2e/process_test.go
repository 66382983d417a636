package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var binary string

// TestMain builds the binary once, with the race detector when the tests have it.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "tidemark-e2e")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "tidemark")
	build := exec.Command("go", "build", "-o", binary, "github.com/tidemarkdb/tidemark/cmd/tidemark")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building tidemark: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// command runs one tidemark command to its end and returns its exit code and output.
func command(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	b, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("tidemark %s did not end:\n%s", strings.Join(args, " "), b)
	}
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("tidemark %s: %v", strings.Join(args, " "), err)
	}
	return cmd.ProcessState.ExitCode(), string(b)
}

// process is a command that runs until it is killed.
type process struct {
	cmd  *exec.Cmd
	out  lockedBuffer
	done chan struct{}
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill ends the process at whatever instruction it is, as a power cut of the program would.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// stop asks the process to end, as Ctrl-C does.
func (p *process) stop(t *testing.T) int {
	t.Helper()
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // it says where its goroutines stand, and ends
		select {
		case <-p.done:
		case <-time.After(time.Minute):
			p.kill()
		}
		t.Fatalf("did not end within a minute of an interrupt:\n%s", p.out.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// serve starts a server process for a file and waits for its address, host:port.
func serve(t *testing.T, file string) (*process, string) {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready")
	p := start(t, "serve", file, "--listen", "127.0.0.1:0", "--ready-file", ready)
	var address string
	eventually(t, "server ready", func() bool {
		select {
		case <-p.done:
			t.Fatalf("the server ended:\n%s", p.out.String())
		default:
		}
		b, err := os.ReadFile(ready)
		address = strings.TrimSpace(string(b))
		return err == nil && address != ""
	})
	address = strings.TrimPrefix(address, "http://")
	return p, strings.TrimSuffix(address, "/")
}

// eventually polls for what another process does; there is no event to wait for.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(90 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("gave up waiting: %s", what)
		}
		<-tick.C
	}
}
