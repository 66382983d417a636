package twin

import (
	"bufio"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// Host is a Node process with TypeScript replicas. It serves one world at a time.
type Host struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// ErrNoNode says that there is no Node, or that the packages are not installed.
var ErrNoNode = errors.New("no Node with the packages of js: install Node 20 or newer and run `npm ci` in js")

// Bundle makes the host's program of the sources under js, in a folder.
func Bundle(js, folder string) (program string, err error) {
	esbuild := filepath.Join(js, "node_modules", ".bin", "esbuild")
	if _, err := os.Stat(esbuild); err != nil {
		return "", ErrNoNode
	}
	if _, err := exec.LookPath("node"); err != nil {
		return "", ErrNoNode
	}
	program = filepath.Join(folder, "host.mjs")
	cmd := exec.Command(esbuild, filepath.Join(js, "client", "test", "twin", "host.ts"), "--bundle", "--platform=node",
		"--format=esm", "--target=node20", "--log-level=warning", "--sourcemap=inline", "--outfile="+program)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("bundling the host: %w\n%s", err, out)
	}
	return program, nil
}

// StartHost starts the program that Bundle made.
func StartHost(js, program string) (*Host, error) {
	wasm := filepath.Join(js, "node_modules", "@sqlite.org", "sqlite-wasm", "dist", "sqlite3.wasm")
	h := &Host{cmd: exec.Command("node", "--enable-source-maps", program, wasm)}
	h.cmd.Stderr = os.Stderr
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	h.out = bufio.NewReaderSize(out, 1<<20)
	return h, h.cmd.Start()
}

// Close ends the process.
func (h *Host) Close() error {
	_ = h.in.Close()
	return h.cmd.Wait()
}

// ask sends a request and reads its answer.
func (h *Host) ask(request map[string]any, answer any) error {
	line, err := json.Marshal(request)
	if err != nil {
		return err
	}
	if _, err := h.in.Write(append(line, '\n')); err != nil {
		return err
	}
	back, err := h.out.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("the host ended: %w", err)
	}
	var a struct {
		OK    json.RawMessage `json:"ok"`
		Error string          `json:"error"`
	}
	if err := json.Unmarshal(back, &a); err != nil {
		return err
	}
	if a.Error != "" {
		return errors.New(strings.TrimSpace(a.Error))
	}
	return json.Unmarshal(a.OK, answer)
}

// hostDevice is a device whose replica lives in the host.
type hostDevice struct {
	h     *Host
	seed  uint64
	name  string
	brief bool
	open  bool
}

func newHostDevice(h *Host, seed uint64, name string, brief bool) device {
	return &hostDevice{h: h, seed: seed, name: name, brief: brief}
}

func (d *hostDevice) ask(do string, more map[string]any, answer any) error {
	request := map[string]any{"do": do, "device": d.name}
	for k, v := range more {
		request[k] = v
	}
	return d.h.ask(request, answer)
}

// settings are what create and adopt say of a device's engine.
func (d *hostDevice) settings(more map[string]any) map[string]any {
	more["world"], more["brief"] = strconv.FormatUint(d.seed, 10), d.brief
	more["loop"] = map[string]any{"minDelay": minDelay.Milliseconds(), "maxDelay": maxDelay.Milliseconds(),
		"patience": patience.Milliseconds(), "keepalive": keepalive.Milliseconds(), "pushBytes": pushBytes}
	return more
}

func (d *hostDevice) create(snapshot []byte, st tidemark.SpaceState, sc *tidemark.Schema, o Op) error {
	want, err := wanted(o.Stmts)
	if err != nil {
		return err
	}
	d.open = true
	state := map[string]any{
		"space": st.Space, "incarnation": st.Incarnation, "term": st.Term, "head": st.Head,
		"sum": strconv.FormatUint(st.Sum, 10), "digestKey": hex.EncodeToString(st.DigestKey[:]),
	}
	return d.ask("create", d.settings(map[string]any{
		"snapshot": base64.StdEncoding.EncodeToString(snapshot), "state": state, "schema": string(schema.Encode(sc)), "readOnly": o.Flag,
		"only": o.Loose, "want": plainWants(want),
	}), new(any))
}

func (d *hostDevice) adopt(image []byte) error {
	d.open = true
	return d.ask("adopt", d.settings(map[string]any{"image": base64.StdEncoding.EncodeToString(image)}), new(any))
}

func (d *hostDevice) image() ([]byte, error) {
	var text string
	if err := d.ask("image", nil, &text); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(text)
}

func (d *hostDevice) reopen() error { return d.ask("reopen", nil, new(any)) }

func (d *hostDevice) write(now int64, w Op) (said string, err error) {
	err = d.ask("write", map[string]any{"now": now, "stmts": w.Stmts, "own": w.Flag, "loose": w.Loose}, &said)
	return said, err
}

func (d *hostDevice) tamper(now int64, w Op) (said string, err error) {
	err = d.ask("tamper", map[string]any{"now": now, "stmts": w.Stmts, "own": false, "loose": false}, &said)
	return said, err
}

func (d *hostDevice) redefine(now int64, sql string) (said string, err error) {
	err = d.ask("ddl", map[string]any{"now": now, "sql": sql}, &said)
	return said, err
}

func (d *hostDevice) step(now int64, ev event) (out stepped, err error) {
	err = d.ask("step", map[string]any{"now": now, "event": ev}, &out)
	return out, err
}

func (d *hostDevice) dispose(now int64, o Op) (said string, err error) {
	err = d.ask(o.Do, map[string]any{"now": now, "id": o.N, "apart": o.Flag, "stmts": o.Stmts}, &said)
	return said, err
}

func (d *hostDevice) subscribe(now int64, only bool, want []wire.Want) (said string, err error) {
	err = d.ask("subscribe", map[string]any{"now": now, "only": only, "want": plainWants(want)}, &said)
	return said, err
}

func (d *hostDevice) wants() (only bool, want []wire.Want, err error) {
	var a struct {
		Only bool
		Want []wire.Want
	}
	err = d.ask("wants", nil, &a)
	return a.Only, a.Want, err
}

// plainWants names the fields as TypeScript has them.
func plainWants(want []wire.Want) []map[string]any {
	list := []map[string]any{}
	for _, w := range want {
		list = append(list, map[string]any{"scope": w.Scope, "priority": w.Priority})
	}
	return list
}

func (d *hostDevice) dump() (tables map[string][]string, err error) {
	err = d.ask("dump", nil, &tables)
	return tables, err
}

func (d *hostDevice) close() {
	if d.open {
		_ = d.ask("close", nil, new(any))
	}
}
