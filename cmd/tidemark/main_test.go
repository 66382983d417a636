package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tidemarkdb/tidemark/internal/port"
)

// The scripts run these programs: the one under test, and small tools
// that stand for the rest of the world.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"tidemark": main,
		"sql":      sqlTool,
		"script":   scriptTool,
		"noise":    noiseTool,
		"json":     jsonTool,
		"proxy":    proxyTool,
		"get":      getTool,
		"judge":    judgeTool,
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               setup,
		Condition:           condition,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"ready": readyCmd,
			"exits": exitsCmd,
			"until": untilCmd,
		},
	})
}

func setup(e *testscript.Env) error {
	e.Setenv("DATA", dataDir())
	tracker, err := filepath.Abs(filepath.Join("..", "..", "examples", "tracker"))
	if err != nil {
		return err
	}
	e.Setenv("TRACKER", tracker)
	// Where programs listen that stop and come back.
	e.Setenv("HERE", port.Free())
	e.Setenv("THERE", port.Free())
	// Under the race detector each program would linger for a second at its end.
	e.Setenv("GORACE", "atexit_sleep_ms=0")
	return nil
}

// dataDir is where sample databases that are not part of the repository may be.
func dataDir() string {
	dir := os.Getenv("TIDEMARK_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "data")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return dir
	}
	return abs
}

// condition knows [data:NAME]: a sample database is there.
func condition(cond string) (bool, error) {
	name, ok := strings.CutPrefix(cond, "data:")
	if !ok {
		return false, &os.PathError{Op: "condition", Path: cond, Err: os.ErrInvalid}
	}
	_, err := os.Stat(filepath.Join(dataDir(), name))
	return err == nil, nil
}

const patience = time.Minute

// poll tries again until ok, for as long as a slow machine may need.
func poll(ts *testscript.TestScript, what string, ok func() bool) {
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			ts.Fatalf("%s did not happen within %s", what, patience)
		}
		<-tick.C
	}
}

// ready FILE VAR waits for a program in the background to write its address
// into FILE and puts it into the environment variable VAR.
func readyCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: ready FILE VAR")
	}
	path := ts.MkAbs(args[0])
	poll(ts, args[0], func() bool {
		b, err := os.ReadFile(path)
		ts.Setenv(args[1], strings.TrimSpace(string(b)))
		return err == nil
	})
}

// exits CODE PROGRAM ARG... runs a program and compares its exit code.
func exitsCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// until TEXT PROGRAM ARG... runs a program again and again until TEXT is in its output.
func untilCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until TEXT PROGRAM ARG...")
	}
	poll(ts, args[0]+" in the output of "+args[1], func() bool {
		err := ts.Exec(args[1], args[2:]...)
		return err == nil && strings.Contains(ts.ReadFile("stdout"), args[0])
	})
}
