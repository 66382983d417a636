package dice

import (
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestWhoseSeed(t *testing.T) {
	for _, c := range []struct {
		named, ci string
		want      uint64
	}{
		{"", "", 0}, {"", "false", 0}, {"", "true", ordinary}, {"7", "", 7}, {"7", "true", 7}, {"18446744073709551615", "true", 1<<64 - 1},
	} {
		if got := read(c.named, c.ci); got != c.want {
			t.Errorf("TIDEMARK_SEED=%q CI=%q: %d, and not %d", c.named, c.ci, got, c.want)
		}
	}
	for _, bad := range []string{"0", "-1", "x", "1 ", "18446744073709551616"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("TIDEMARK_SEED=%q was taken", bad)
				}
			}()
			read(bad, "")
		}()
	}
}

// TestRoll is run by the test below, in processes of their own.
func TestRoll(t *testing.T) {
	if os.Getenv("DICE_ROLL") == "" {
		t.Skip("nothing to do: the tests below run it in processes of their own, with DICE_ROLL set")
	}
	t.Logf("roll %d", New(t).Uint64())
	rapid.Check(t, func(t *rapid.T) { _ = rapid.Uint64().Draw(t, "rapid") })
	t.Logf("roll %s", flag.Lookup("rapid.seed").Value)
	if os.Getenv("DICE_ROLL") == "fail" {
		t.Fail()
	}
}

func TestRunsAreTheSameUnderCI(t *testing.T) {
	ci := roll(t, "CI=true")
	if again := roll(t, "CI=true"); !slices.Equal(ci, again) || len(ci) != 2 || ci[1] != "roll 1" {
		t.Errorf("%v, then %v", ci, again)
	}
	if named := roll(t, "CI=true", "TIDEMARK_SEED=1"); !slices.Equal(ci, named) {
		t.Errorf("%v, and by its name %v", ci, named)
	}
	free := roll(t)
	if again := roll(t); free[0] == again[0] || free[1] != "roll 0" {
		t.Errorf("%v, then %v: nothing is new", free, again)
	}
	if flagged := roll(t, "CI=true", "-rapid.seed=9"); flagged[1] != "roll 9" || flagged[0] != ci[0] {
		t.Errorf("with -rapid.seed=9 %v", flagged)
	}
}

func TestAFailureSaysHowToRepeatIt(t *testing.T) {
	out, err := run(t, "DICE_ROLL=fail", "TIDEMARK_SEED=77")
	if err == nil || !strings.Contains(out, "repeat with TIDEMARK_SEED=77\n") {
		t.Errorf("%v: %s", err, out)
	}
}

// roll gives the lines that TestRoll logged.
func roll(t *testing.T, settings ...string) []string {
	t.Helper()
	out, err := run(t, append([]string{"DICE_ROLL=1"}, settings...)...)
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var rolls []string
	for line := range strings.Lines(out) {
		if at := strings.Index(line, "roll "); at >= 0 {
			rolls = append(rolls, strings.TrimSpace(line[at:]))
		}
	}
	return rolls
}

// run runs TestRoll: settings are variables, or flags.
func run(t *testing.T, settings ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestRoll$", "-test.v")
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "CI=") && !strings.HasPrefix(v, "TIDEMARK_SEED=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	for _, s := range settings {
		if strings.HasPrefix(s, "-") {
			cmd.Args = append(cmd.Args, s)
		} else {
			cmd.Env = append(cmd.Env, s)
		}
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
