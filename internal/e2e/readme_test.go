package e2e

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark/internal/port"
)

// TestReadme runs the five minutes of the README as they stand there, on a
// free port, and looks at what a newcomer would see.
func TestReadme(t *testing.T) {
	for _, tool := range []string{"sqlite3", "bash"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed; make tools installs it on Debian", tool)
		}
	}
	script := readmeScript(t, "## Five minutes")
	if strings.Count(script, "tidemark ") < 12 {
		t.Fatalf("the README's tour is not where this test looks for it:\n%s", script)
	}
	free := freePort(t)
	script = strings.NewReplacer(
		"make build\n", "",
		"export PATH=$PWD/bin:$PATH\n", "",
		"cd $(mktemp -d)\n", "",
		"127.0.0.1:7420", "127.0.0.1:"+free,
		"tidemark serve shop.sqlite &", "tidemark serve shop.sqlite --listen 127.0.0.1:"+free+" --ready-file ready & server=$!\nuntil [ -s ready ]; do sleep 0.01; done",
	).Replace(script) + "\nkill -INT $server; wait $server\n"
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(binary)+":"+os.Getenv("PATH"))
	b, err := cmd.CombinedOutput()
	out := string(b)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"Every row keeps the constraints of its table",
		"\nLow Water\n",                    // the other copy shows it
		"Artist 9001 has the number ",      // the second of the two artists
		"'High Water' ",                    // the name that lost
		"pushed 1, accepted 0, rejected 1", // the album of nobody
		"foreign_key",                      // and why
		"a.db equals the server at seq",    // the proof
	} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing printed %q:\n%s", want, out)
		}
	}
}

// readmeScript joins the code blocks of one section.
func readmeScript(t *testing.T, section string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "\n"+section+"\n")
	if !ok {
		t.Fatalf("README.md has no section %q", section)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	var script strings.Builder
	for i, part := range strings.Split(rest, "```") {
		if i%2 == 1 {
			_, code, _ := strings.Cut(part, "\n")
			script.WriteString(code)
		}
	}
	return script.String()
}

// freePort is a port that the script's server may take.
func freePort(t *testing.T) string {
	t.Helper()
	_, number, err := net.SplitHostPort(port.Free())
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// TestGuideNamesEveryCommand: the guide's table and the binary's help list the same commands.
func TestGuideNamesEveryCommand(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "guide", "commands.md"))
	if err != nil {
		t.Fatal(err)
	}
	code, help := command(t, "--help")
	if code != 0 {
		t.Fatalf("--help exits with %d", code)
	}
	listed := 0
	for line := range strings.Lines(help) {
		name, _, ok := strings.Cut(strings.TrimPrefix(line, "  "), "  ")
		if !ok || !strings.HasPrefix(line, "  ") || strings.HasPrefix(name, " ") || strings.HasPrefix(name, "-") || name == "help" {
			continue
		}
		listed++
		if !strings.Contains(string(b), "`tidemark "+name) {
			t.Errorf("docs/guide/commands.md does not name %q", name)
		}
	}
	if listed < 12 {
		t.Fatalf("found only %d commands in the help:\n%s", listed, help)
	}
}
