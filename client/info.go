package client

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
)

// Head asks the server for the newest seq of the space.
func (db *DB) Head(ctx context.Context) (tidemark.Seq, error) {
	addr, err := db.address()
	if err != nil {
		return 0, err
	}
	text, err := db.token(ctx)
	if err != nil {
		return 0, err
	}
	info, err := askAbout(ctx, db.opts.HTTP, addr, bearer(text))
	return info.Head, err
}

// about is what a server says of a space.
type about struct {
	Head        tidemark.Seq `json:"head"`
	Incarnation string       `json:"incarnation"`
	Schema      string       `json:"schema"` // its hash
}

// askAbout asks for it. Any JSON is not enough: something else may answer at an address.
func askAbout(ctx context.Context, c *http.Client, addr *address, header http.Header) (a about, err error) {
	if err := getJSON(ctx, c, addr.at(), header, &a); err != nil {
		return about{}, err
	}
	if a.Incarnation == "" || a.Schema == "" {
		return about{}, &tidemark.Error{
			Code: tidemark.CodeProtocol, Op: "connect", Msg: addr.String() + " answered, but not as a Tidemark server does",
			Hint: "check the address; a proxy or another server may stand there",
		}
	}
	return a, nil
}

// Preview is what a Sync would do.
type Preview struct {
	Push   []replica.Pending `json:"push"`   // with their changes
	Seq    tidemark.Seq      `json:"seq"`    // checkpoint of the copy
	Head   tidemark.Seq      `json:"head"`   // of the server
	Behind tidemark.Seq      `json:"behind"` // changesets to receive, of which a copy with scopes may not see all
}

// DryRun tells what Sync would send and how far the copy is behind. Nothing is
// exchanged; what was written so far becomes pending changesets, as it would
// anyway. Without the server it fails with tidemark.CodeOffline, and the
// preview has what is known here.
func (db *DB) DryRun(ctx context.Context) (*Preview, error) {
	p := &Preview{}
	err := db.withEngine(func(r *replica.Replica) (err error) {
		if _, err = r.Seal(now()); err != nil {
			return err
		}
		if p.Push, err = r.Pending(true); err != nil {
			return err
		}
		st, err := r.Status()
		p.Seq, p.Head = st.Seq, st.Head
		return err
	})
	if err != nil {
		return nil, err
	}
	head, err := db.Head(ctx)
	if err == nil {
		p.Head = head
	}
	p.Behind = max(0, p.Head-p.Seq)
	return p, err
}

// shortly is how long a small answer may take.
const shortly = 30 * time.Second

// getJSON reads a small JSON document of the server.
func getJSON(ctx context.Context, c *http.Client, url string, header http.Header, into any) error {
	ctx, cancel := context.WithTimeout(ctx, shortly)
	defer cancel()
	resp, err := get(ctx, c, url, header)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK || !isType(resp, "json") {
		return unexpected("connect", resp)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxDown)).Decode(into); err != nil {
		return &tidemark.Error{Code: tidemark.CodeProtocol, Op: "connect", Err: err, Msg: "the server's answer cannot be read"}
	}
	return nil
}

func get(ctx context.Context, c *http.Client, url string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header = header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	req.Header.Set("User-Agent", Agent)
	resp, err := c.Do(req)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return nil, err
		}
		return nil, unreachable("connect", err)
	}
	return resp, nil
}
