package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestPolicyGuide types the session of docs/guide/policies.md into a shell, as
// a reader does, and holds what comes out against what the page shows.
func TestPolicyGuide(t *testing.T) { typeGuide(t, "policies.md", 50) }

// TestRulesGuide does so with docs/guide/rules.md.
func TestRulesGuide(t *testing.T) { typeGuide(t, "rules.md", 12) }

// TestAuthGuide does so with docs/guide/auth.md.
func TestAuthGuide(t *testing.T) { typeGuide(t, "auth.md", 10) }

// TestScopesGuide does so with docs/guide/scopes.md.
func TestScopesGuide(t *testing.T) { typeGuide(t, "scopes.md", 20) }

func typeGuide(t *testing.T, page string, least int) {
	t.Helper()
	for _, tool := range []string{"sqlite3", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed; make tools installs it on Debian", tool)
		}
	}
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "guide", page))
	if err != nil {
		t.Fatal(err)
	}
	steps := sessionOf(string(b))
	if len(steps) < least {
		t.Fatalf("found only %d steps on the page", len(steps))
	}
	got := typeSession(t, steps)
	for i, s := range steps {
		if s.shown == "" || s.matches(got[i]) {
			continue
		}
		t.Errorf("docs/guide/%s shows for\n$ %s\n%s\nand this came out:\n%s", page, s.typed, s.shown, got[i])
	}
}

// step is a command on a page, with what the page shows of its output.
type step struct {
	typed string
	shown string // "": nothing is said of it; "..." stands for anything
}

// sessionOf collects the console blocks of a page: "$ " begins a command, "> "
// goes on with it, the rest is output. A block with the name of a file is written to that file.
func sessionOf(page string) []step {
	var steps []step
	for i, part := range strings.Split(page, "\n```") {
		if i%2 == 0 {
			continue
		}
		kind, body, _ := strings.Cut(part, "\n")
		switch language, name, _ := strings.Cut(kind, " "); {
		case name != "":
			steps = append(steps, step{typed: fmt.Sprintf("cat > %s <<'END OF FILE'\n%s\nEND OF FILE", name, body)})
		case language == "console":
			steps = append(steps, console(body)...)
		}
	}
	return steps
}

func console(body string) []step {
	var steps []step
	for line := range strings.Lines(body) {
		line = strings.TrimSuffix(line, "\n")
		last := len(steps) - 1
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			steps = append(steps, step{typed: command})
		} else if more, ok := strings.CutPrefix(line, "> "); ok && steps[last].shown == "" {
			steps[last].typed += "\n" + more
		} else {
			steps[last].shown += line + "\n"
		}
	}
	return steps
}

// matches compares output with what is shown, but for white space at the end of lines and
// the widths of columns.
func (s step) matches(output string) bool {
	var pattern strings.Builder
	for line := range strings.Lines(squeeze(s.shown)) {
		if strings.TrimSpace(line) == "..." {
			pattern.WriteString(`(?s:.*)`)
			continue
		}
		pattern.WriteString(strings.ReplaceAll(regexp.QuoteMeta(line), `\.\.\.`, `[^\n]*`))
	}
	return regexp.MustCompile(`^` + pattern.String() + `$`).MatchString(squeeze(output))
}

var spaces = regexp.MustCompile(`[ \t]+`)

// squeeze makes one space of many, and ends a text with exactly one line break.
func squeeze(text string) string {
	return strings.TrimSpace(spaces.ReplaceAllString(text, " ")) + "\n"
}

// serveLine begins the server, with whatever flags the page gives.
var serveLine = regexp.MustCompile(`^(tidemark serve team\.sqlite.*) &$`)

// typeSession runs the steps in one shell and returns what each printed.
func typeSession(t *testing.T, steps []step) []string {
	t.Helper()
	port := freePort(t)
	var script strings.Builder
	script.WriteString("exec 2>&1\ntrap 'kill -INT $server; wait $server' EXIT\n")
	for i, s := range steps {
		typed := strings.ReplaceAll(s.typed, "127.0.0.1:7420", "127.0.0.1:"+port)
		if m := serveLine.FindStringSubmatch(typed); m != nil {
			typed = m[1] + " --listen 127.0.0.1:" + port + " --ready-file ready > served.log 2>&1 & server=$!\n" +
				"until [ -s ready ] || ! kill -0 $server; do sleep 0.01; done"
		}
		fmt.Fprintf(&script, "printf '\\n@@%d@@\\n'\n%s\n", i, typed)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script.String())
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	b, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("the session did not end:\n%s", b)
	}
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(cmd.Dir, "served.log"))
		t.Logf("the shell ended with %v\n%s", err, log)
	}
	out := make([]string, len(steps))
	for i := range steps {
		_, rest, _ := strings.Cut(string(b), fmt.Sprintf("\n@@%d@@\n", i))
		out[i], _, _ = strings.Cut(rest, "\n@@")
	}
	return out
}
