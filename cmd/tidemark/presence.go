package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
)

type presenceCommand struct {
	File    string        `arg:"" help:"The copy."`
	Scope   string        `arg:"" optional:"" default:"all" help:"Where: until a space declares scopes there is one, all."`
	State   string        `default:"{}" placeholder:"JSON" help:"What the others see of you: a JSON object of at most 4 KiB."`
	Cast    string        `placeholder:"JSON" help:"Say something to everyone who is there, once."`
	Watch   bool          `short:"w" help:"Stay, and print who comes, changes, goes and says something, until Ctrl-C."`
	Timeout time.Duration `default:"30s" placeholder:"TIME" help:"Without --watch: give up when the server has not answered by then (${default})."`
	Server  string        `placeholder:"URL" help:"Address of the space, when it is not the one that it was cloned from."`
	tokenFlags
}

// Help is shown below the command's one line.
func (presenceCommand) Help() string {
	return `Shows who is connected to the space now, and with what state. Who wants to see is seen: the copy is present with --state for as long as the command runs. Nothing of this is stored anywhere. The copy syncs meanwhile; while another process syncs it, this one waits.

With --watch --json each piece of news is one JSON document on a line of its own: event is joined, changed, left, cast, lost or back.

Examples:

    tidemark presence shop.db
    tidemark presence shop.db all --state '{"name":"Ana"}' --watch
    tidemark presence shop.db --cast '{"reload":true}'`
}

// Run is present.
func (c *presenceCommand) Run(s *shell) error {
	for _, given := range []struct{ flag, text string }{{"--state", c.State}, {"--cast", c.Cast}} {
		if given.text != "" && !json.Valid([]byte(given.text)) {
			return usageError(given.flag+" is not JSON: "+given.text, `write it like '{"name":"Ana"}'`)
		}
	}
	o := client.Options{Server: c.Server, Logger: s.log, Token: c.source()}
	return withReplica(c.File, o, func(db *client.DB) error {
		p := db.Presence(c.Scope)
		if c.Watch {
			return c.watch(s, db, p)
		}
		return c.once(s, p)
	})
}

// present is what presence prints with --json.
type present struct {
	Path  string        `json:"path"`
	Scope string        `json:"scope"`
	Peers []client.Peer `json:"peers"`
}

func (c *presenceCommand) once(s *shell, p *client.Presence) error {
	ctx, cancel := context.WithTimeout(s.ctx, c.Timeout)
	defer cancel()
	if err := p.Join(json.RawMessage(c.State)); err != nil {
		return err
	}
	defer p.Leave()
	if err := p.Seen(ctx); err != nil {
		return c.unseen(s, err)
	}
	list := p.Peers()
	if err := c.say(p); err != nil {
		return err
	}
	rows := [][]string{}
	for _, peer := range list {
		rows = append(rows, []string{nameOf(peer), string(peer.State)})
	}
	s.table(rows)
	return s.document(present{c.File, c.Scope, list})
}

// unseen turns an error of waiting into one with the exit code that says so.
func (c *presenceCommand) unseen(s *shell, err error) error {
	switch code := tidemark.CodeOf(err); {
	case s.ctx.Err() != nil:
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return &ending{
			exit: exitOffline, code: tidemark.CodeOffline,
			msg: "the server did not answer within " + c.Timeout.String(), hint: hints[tidemark.CodeOffline],
		}
	case exitInReplica(code) == exitOffline:
		f := s.failure(err)
		return &ending{exit: exitOffline, code: code, msg: f.Message, hint: f.Hint}
	}
	return err
}

func (c *presenceCommand) say(p *client.Presence) error {
	if c.Cast == "" {
		return nil
	}
	return p.Cast(json.RawMessage(c.Cast))
}

// presenceNews is what presence --watch prints with --json, one per line.
type presenceNews struct {
	Time  string       `json:"time"`
	Event string       `json:"event"` // joined, changed, left, cast, lost, back
	Peer  *client.Peer `json:"peer,omitempty"`
	Cast  *client.Cast `json:"cast,omitempty"`
	Error *failure     `json:"error,omitempty"`
}

// onlooker prints what changes. Its methods are called one after the other.
type onlooker struct {
	s     *shell
	p     *client.Presence
	peers map[string]client.Peer
	said  string // the last error
}

func (c *presenceCommand) watch(s *shell, db *client.DB, p *client.Presence) error {
	st, err := db.Status()
	if err != nil {
		return err
	}
	o := &onlooker{s: s, p: p, peers: map[string]client.Peer{}}
	deafen := []func(){
		p.OnChange(o.look),
		p.OnCast(func(cast client.Cast) { o.tell(presenceNews{Event: "cast", Cast: &cast}) }),
	}
	s.printf("present in %s of %s at %s; Ctrl-C leaves\n", c.Scope, st.Space, st.Server)
	if err := p.Join(json.RawMessage(c.State)); err != nil {
		return err
	}
	defer func() {
		for _, stop := range deafen {
			stop() // that this copy leaves is no news
		}
		p.Leave()
	}()
	if err := p.Seen(s.ctx); err != nil {
		return c.ended(s, err)
	}
	if err := c.say(p); err != nil {
		return err
	}
	return c.ended(s, db.Run(s.ctx))
}

// ended takes Ctrl-C for what it is.
func (c *presenceCommand) ended(s *shell, err error) error {
	if s.ctx.Err() != nil {
		return nil
	}
	return err
}

// look prints in what a list differs from the one before.
func (o *onlooker) look(list []client.Peer) {
	now := map[string]client.Peer{}
	for _, peer := range list {
		now[peer.ID] = peer
		old, known := o.peers[peer.ID]
		switch {
		case !known:
			o.tell(presenceNews{Event: "joined", Peer: &peer})
		case string(old.State) != string(peer.State):
			o.tell(presenceNews{Event: "changed", Peer: &peer})
		}
	}
	for id, peer := range o.peers {
		if _, there := now[id]; !there {
			o.tell(presenceNews{Event: "left", Peer: &peer})
		}
	}
	o.peers = now
	o.trouble(o.p.Err())
}

// trouble prints once why nobody sees this copy, and that somebody does again.
func (o *onlooker) trouble(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == o.said {
		return
	}
	o.said = text
	if err == nil {
		o.tell(presenceNews{Event: "back"})
		return
	}
	f := o.s.failure(err)
	o.tell(presenceNews{Event: "lost", Error: &f})
}

func (o *onlooker) tell(n presenceNews) {
	at := time.Now()
	if o.s.json {
		n.Time = at.UTC().Format(time.RFC3339Nano)
		_ = o.s.line(n)
		return
	}
	text := ""
	switch n.Event {
	case "joined":
		text = nameOf(*n.Peer) + " is here: " + string(n.Peer.State)
	case "changed":
		text = nameOf(*n.Peer) + " is now: " + string(n.Peer.State)
	case "left":
		text = nameOf(*n.Peer) + " has left"
	case "cast":
		text = nameOf(client.Peer{ID: n.Cast.From, Principal: n.Cast.Principal}) + " says: " + string(n.Cast.Body)
	case "lost":
		text = n.Error.Message + "; trying again"
	case "back":
		text = "connected"
	}
	o.s.printf("%s  %s\n", at.Format(time.TimeOnly), clean(text))
}

// nameOf is how a peer is called for people.
func nameOf(p client.Peer) string {
	name := shortID(p.ID)
	if _, part, parts := strings.Cut(p.ID, ":"); parts {
		name += ":" + part[:min(len(part), 4)]
	}
	if p.Principal != "" {
		name = p.Principal + " (" + name + ")"
	}
	if p.Me {
		name += ", this copy"
	}
	return name
}
