package client

import (
	"context"
	"errors"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/token"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// TokenSource gives the token that says who the principal of a replica is, ""
// for none. It is asked before every connection, and again before the token
// ends: it returns the one that it has as long as that is good for a while, and
// a newer one then. An error means that none can be had now; it is asked again.
type TokenSource func(ctx context.Context) (string, error)

// StaticToken is a source of one token, which cannot be renewed.
func StaticToken(text string) TokenSource {
	return func(context.Context) (string, error) { return text, nil }
}

// TokenFile is a source that reads a file each time: whoever has newer tokens
// writes them there.
func TokenFile(path string) TokenSource {
	return func(context.Context) (string, error) {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", &tidemark.Error{Code: tidemark.CodeUnauthenticated, Op: "sign in", Err: err, Msg: "the file of the token cannot be read", Hint: "write a token into " + path}
		}
		return strings.TrimSpace(string(b)), nil
	}
}

// ask returns the token that there is now.
func (t TokenSource) ask(ctx context.Context) (string, error) {
	if t == nil {
		return "", nil
	}
	text, err := t(ctx)
	var known *tidemark.Error
	switch {
	case err == nil:
		return text, nil
	case errors.As(err, &known), ctx.Err() != nil:
		return "", err
	}
	return "", &tidemark.Error{Code: tidemark.CodeOffline, Op: "sign in", Err: err, Msg: "no token can be had now"}
}

// token returns the token that there is now, unless it is of somebody else
// than the replica's principal: nothing of the replica goes out under it.
func (db *DB) token(ctx context.Context) (string, error) {
	text, err := db.opts.Token.ask(ctx)
	if err != nil || text == "" {
		return "", err
	}
	var owner string
	err = db.withEngine(func(r *replica.Replica) (err error) { owner, err = r.Principal(); return err })
	if err != nil {
		return "", err
	}
	if p, ok := token.Peek(text); ok && owner != "" && p.Subject != owner {
		return "", replica.Stranger(owner, p.Subject)
	}
	return text, nil
}

// bearer is the header of a token, nil for none.
func bearer(text string) http.Header {
	if text == "" {
		return nil
	}
	return http.Header{"Authorization": {"Bearer " + text}}
}

// Pauses between two questions for a token.
const (
	askFirst = time.Second
	askMost  = time.Minute
)

// renewal is the answer of the source of tokens, for the shell's goroutine.
type renewal struct {
	of   context.Context // the link's when it was asked, nil for none
	text string
	err  error
}

// passport is what the shell knows of the token under which it is connected.
// It belongs to the shell's goroutine.
type passport struct {
	text  string    // of the link, or the one that was refused
	ends  time.Time // by our clock; zero: never, or not known
	ahead int64     // milliseconds by which the server's clock is ahead
	timer *time.Timer
	pause time.Duration // before the next question, when the last brought nothing
	busy  bool          // a question is under way
}

func newPassport() *passport {
	p := &passport{timer: time.NewTimer(time.Hour)}
	p.timer.Stop()
	return p
}

// hear takes from a message how long the session's token lives. It reports
// whether the message was for the shell alone.
func (s *shell) hear(m wire.Down) (aside bool) {
	switch m := m.(type) {
	case *wire.Welcome:
		s.pass.ahead = m.Time - now()
		s.lives(m.Expires)
	case *wire.Renewed:
		s.lives(m.Expires)
		return true
	}
	return false
}

// lives plans the next question for a token: when a fifth of the life of this
// one is left, or a minute, whichever is more.
func (s *shell) lives(expires int64) {
	s.pass.timer.Stop()
	s.pass.ends, s.pass.pause = time.Time{}, 0
	if expires == 0 || s.db.opts.Token == nil {
		return
	}
	s.pass.ends = time.UnixMilli(expires - s.pass.ahead)
	left := time.Until(s.pass.ends)
	s.pass.timer.Reset(max(0, left-max(left/5, min(time.Minute, left/2))))
}

// askToken asks the source beside the shell's goroutine.
func (s *shell) askToken() {
	if s.pass.busy || s.db.opts.Token == nil {
		return
	}
	s.pass.busy = true
	of := s.linkCtx
	s.wg.Go(func() {
		text, err := s.db.token(s.ctx)
		s.tell(s.ctx, renewal{of, text, err})
	})
}

// renewed takes the answer of the source. Without a session a token that is
// another than the one that was refused begins one; in a session it goes on
// with it. What is no news is asked again later.
func (s *shell) renewed(m renewal) error {
	s.pass.busy = false
	fresh := m.err == nil && m.text != "" && m.text != s.pass.text
	switch s.loop.State() {
	case replica.AuthNeeded:
		if fresh {
			return s.step(replica.Start{})
		}
		s.askLater()
	case replica.CatchingUp, replica.Pushing, replica.Idle, replica.Verifying:
		switch {
		case m.of != s.linkCtx: // its life was planned with the newer link
		case fresh && s.link != nil && s.link.renew(m.text):
			s.pass.text = m.text
		case !s.pass.ends.IsZero():
			s.expiring(m.err)
		}
	}
	return nil
}

func (s *shell) askLater() {
	s.pass.pause = min(max(2*s.pass.pause, askFirst), askMost)
	s.pass.timer.Reset(s.pass.pause)
}

// expiring warns that the session ends with its token, and asks again.
func (s *shell) expiring(err error) {
	if s.pass.pause == 0 {
		s.db.log.Warn("the token ends soon and there is no newer one", "ends", s.pass.ends, "error", err)
		if s.db.opts.OnEvent != nil {
			s.db.opts.OnEvent(Event{State: s.loop.State().String(), Expiring: s.pass.ends, Err: err})
		}
	}
	if time.Now().Before(s.pass.ends) {
		s.askLater()
	}
}

// watchAuth asks for a token while the loop waits for one.
func (s *shell) watchAuth(before replica.State) {
	if s.loop.State() == replica.AuthNeeded && before != replica.AuthNeeded && s.db.opts.Token != nil {
		s.pass.pause = 0
		s.askLater()
	}
}

// Reconnect makes a running Sync or Run connect again now, with the token that
// the source gives: after signing in, say.
func (db *DB) Reconnect(ctx context.Context) error {
	db.mu.Lock()
	s := db.shell
	db.mu.Unlock()
	if s == nil {
		return nil
	}
	return s.ask(ctx, replica.Start{})
}
