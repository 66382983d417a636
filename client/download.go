package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// notes say which snapshot the downloaded part belongs to.
type notes struct {
	Address  string `json:"address"`
	ETag     string `json:"etag"`
	State    string `json:"state"` // header, see wire.FormatState
	Rows     int64  `json:"rows"`
	Size     int64  `json:"size"`     // bytes to download, 0 when unknown
	Unpacked int64  `json:"unpacked"` // bytes of the file
	Complete bool   `json:"complete"`
	Made     *made  `json:"made,omitempty"` // the copy was made of it, and may hold more by now
}

// made says for what options a copy was made that is not complete yet.
type made struct {
	ReadOnly bool   `json:"read_only"`
	Scopes   []Want `json:"scopes,omitempty"`
}

func (m *made) fits(o CloneOptions) bool {
	return m != nil && m.ReadOnly == o.ReadOnly && slices.Equal(m.Scopes, o.Scopes)
}

func (c *cloning) readNotes() (n notes) {
	b, err := os.ReadFile(c.path + notesSuffix)
	if err != nil || json.Unmarshal(b, &n) != nil || n.Address != c.addr.String() {
		return notes{}
	}
	return n
}

func (c *cloning) writeNotes() error {
	b, err := json.Marshal(c.notes)
	if err != nil {
		return err
	}
	return os.WriteFile(c.path+notesSuffix, append(b, '\n'), 0o644)
}

// download fetches the snapshot, or the rest of it.
func (c *cloning) download(ctx context.Context) error {
	c.notes = c.readNotes()
	have := int64(0)
	if info, err := os.Stat(c.path + partSuffix); err == nil && c.notes.ETag != "" {
		have = info.Size()
	}
	if c.resumed = have > 0; c.resumed && c.notes.Complete && have == c.notes.Size {
		return nil
	}
	flow, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(silenceMost, func() { cancel(errSilent) })
	resp, err := c.request(flow, have)
	silent.Stop()
	if err == nil {
		stalled := time.AfterFunc(stallLimit, func() { cancel(errStalled) })
		defer stalled.Stop()
		resp.Body = &flowing{resp.Body, stalled}
		err = c.take(ctx, resp, have)
	}
	if why := context.Cause(flow); err != nil && (errors.Is(why, errSilent) || errors.Is(why, errStalled)) {
		return broken(why)
	}
	return err
}

// take keeps what an answer brings.
func (c *cloning) take(ctx context.Context, resp *http.Response, have int64) error {
	defer func() { _ = resp.Body.Close() }()
	switch resp.StatusCode {
	case http.StatusPartialContent:
		if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)) {
			return unexpected("clone", resp)
		}
	case http.StatusOK:
		have, c.resumed = 0, false
		if err := c.readHeader(resp); err != nil {
			return err
		}
	default:
		return unexpected("clone", resp)
	}
	return c.receive(ctx, resp.Body, have)
}

// How long a download may stand still, and how long the server may take to
// make a snapshot of a large space before it answers.
const (
	stallLimit  = time.Minute
	silenceMost = 15 * time.Minute
)

var (
	errStalled = errors.New("nothing came for " + stallLimit.String())
	errSilent  = errors.New("no answer came within " + silenceMost.String())
)

// flowing puts the end off with every byte that comes.
type flowing struct {
	io.ReadCloser
	stalled *time.Timer
}

func (f *flowing) Read(b []byte) (int, error) {
	n, err := f.ReadCloser.Read(b)
	if n > 0 {
		f.stalled.Reset(stallLimit)
	}
	return n, err
}

func (c *cloning) request(ctx context.Context, have int64) (*http.Response, error) {
	text, err := c.o.Token.ask(ctx)
	if err != nil {
		return nil, err
	}
	h := http.Header{"Accept-Encoding": {"identity"}} // it is compressed already
	maps.Copy(h, bearer(text))
	if have > 0 {
		h.Set("Range", fmt.Sprintf("bytes=%d-", have))
		h.Set("If-Range", c.notes.ETag)
	}
	resp, err := get(ctx, c.o.HTTP, c.addr.at("snapshot"), h)
	if err == nil && have > 0 && resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		_ = resp.Body.Close()
		return c.request(ctx, 0)
	}
	return resp, err
}

// readHeader takes down which snapshot begins to come.
func (c *cloning) readHeader(resp *http.Response) error {
	state := resp.Header.Get(wire.HeaderState)
	if state == "" {
		return unexpected("clone", resp)
	}
	if _, err := wire.ParseState(state); err != nil {
		return &tidemark.Error{Code: tidemark.CodeProtocol, Op: "clone", Err: err,
			Msg: "the server's description of the snapshot cannot be read", Hint: "install versions of both sides that belong together"}
	}
	n := notes{Address: c.addr.String(), ETag: resp.Header.Get("ETag"), State: state, Size: max(0, resp.ContentLength)}
	n.Rows, _ = strconv.ParseInt(resp.Header.Get(wire.HeaderRows), 10, 64)
	n.Unpacked, _ = strconv.ParseInt(resp.Header.Get(wire.HeaderBytes), 10, 64)
	c.notes = n
	return c.writeNotes()
}

// receive appends what comes to the part.
func (c *cloning) receive(ctx context.Context, body io.Reader, have int64) error {
	f, err := os.OpenFile(c.path+partSuffix, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if err := f.Truncate(have); err != nil {
		return err
	}
	if _, err := f.Seek(have, io.SeekStart); err != nil {
		return err
	}
	m := newMeter(c.o.Progress, Progress{Stage: "download", Bytes: have, Total: c.notes.Size})
	if _, err := io.Copy(f, io.TeeReader(body, m)); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return broken(err)
	}
	if c.notes.Size > 0 && m.p.Bytes != c.notes.Size {
		return broken(io.ErrUnexpectedEOF)
	}
	c.notes.Size, c.notes.Complete = m.p.Bytes, true
	if err := firstError(f.Sync(), f.Close()); err != nil {
		return err
	}
	m.tell()
	return c.writeNotes()
}

func broken(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return err // of the disk
	}
	return &tidemark.Error{Code: tidemark.CodeOffline, Op: "clone", Err: err, Msg: "the download broke off",
		Hint: "the same command goes on where it stopped"}
}

// unpack writes the snapshot as a plain SQLite file.
func (c *cloning) unpack(ctx context.Context, to string) error {
	in, err := os.Open(c.path + partSuffix)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	z, err := zstd.NewReader(in)
	if err != nil {
		return err
	}
	defer z.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	m := newMeter(c.o.Progress, Progress{Stage: "install", Total: c.notes.Unpacked})
	m.rows = c.notes.Rows
	if _, err := io.Copy(out, io.TeeReader(&stoppable{ctx, z}, m)); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var path *os.PathError
		if errors.As(err, &path) {
			return err
		}
		return c.damaged(&tidemark.Error{Code: tidemark.CodeCorrupt, Op: "clone", Err: err,
			Msg: "the downloaded snapshot is damaged", Hint: "clone again; it is fetched anew"})
	}
	return firstError(out.Sync(), out.Close())
}

// stoppable is a reader that ends with a context.
type stoppable struct {
	ctx context.Context
	r   io.Reader
}

func (s *stoppable) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(b)
}

func readAll(r io.Reader, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(b)) > most {
		err = &tidemark.Error{Code: tidemark.CodeTooLarge, Op: "clone", Msg: "the server's answer is too large"}
	}
	return b, err
}

// meter counts bytes and tells of them ten times a second.
type meter struct {
	tellTo func(Progress)
	p      Progress
	rows   int64 // of the whole, for an estimate
	start  int64
	began  time.Time
	told   time.Time
}

func newMeter(to func(Progress), p Progress) *meter {
	m := &meter{tellTo: to, p: p, start: p.Bytes, began: time.Now()}
	to(p)
	return m
}

func (m *meter) Write(b []byte) (int, error) {
	m.p.Bytes += int64(len(b))
	if time.Since(m.told) > 100*time.Millisecond {
		m.tell()
	}
	return len(b), nil
}

func (m *meter) tell() {
	m.told = time.Now()
	p := m.p
	if done := p.Bytes - m.start; p.Total > p.Bytes && done > 0 {
		p.Left = time.Duration(float64(m.told.Sub(m.began)) / float64(done) * float64(p.Total-p.Bytes))
	}
	if p.Total > 0 {
		p.Rows = int64(float64(m.rows) * float64(p.Bytes) / float64(p.Total))
	}
	m.tellTo(p)
}
