package client

import (
	"sync"
	"time"

	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// news is what was committed since the last look, by whomever.
type news struct {
	tables map[string]bool // folded names of synced tables whose rows may have changed
	local  bool            // something was captured, or other scopes are wanted: there is something to do
	schema bool            // the file's structure changed
}

// notice looks for commits while somebody wants to know: a running sync, a
// live query. It sees every commit, our own too, through the counter that
// SQLite keeps for each connection, so that there is one way for all writers.
type notice struct {
	db    *DB
	poked chan struct{}

	mu    sync.Mutex
	users map[chan news]bool
	stop  chan struct{} // closed to end the goroutine; nil when none runs
	done  chan struct{}
}

func newNotice(db *DB) *notice {
	return &notice{db: db, poked: make(chan struct{}, 1), users: map[chan news]bool{}}
}

// poke makes it look at once, for a commit that this process made itself.
func (n *notice) poke() {
	select {
	case n.poked <- struct{}{}:
	default:
	}
}

// join gives news to ch until leave. ch must have room for one: what comes
// while it is full is put together with what it holds.
func (n *notice) join(ch chan news) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.db.broken(); err != nil {
		return err
	}
	if n.stop == nil {
		p, err := newPoller(n.db.path)
		if err != nil {
			return failure(n.db.ended, "open", err)
		}
		n.stop, n.done = make(chan struct{}), make(chan struct{})
		go n.run(p, n.stop, n.done)
	}
	n.users[ch] = true
	return nil
}

func (n *notice) leave(ch chan news) {
	n.mu.Lock()
	delete(n.users, ch)
	stop, done := n.stop, n.done
	if len(n.users) > 0 || stop == nil {
		n.mu.Unlock()
		return
	}
	n.stop = nil
	close(stop)
	n.mu.Unlock()
	<-done
}

func (n *notice) close() {
	n.mu.Lock()
	stop, done := n.stop, n.done
	n.stop = nil
	clear(n.users)
	if stop != nil {
		close(stop)
	}
	n.mu.Unlock()
	if stop != nil {
		<-done
	}
}

func (n *notice) run(p *poller, stop, done chan struct{}) {
	defer close(done)
	defer func() { _ = leave(p.c, n.db.broken()) }()
	tick := time.NewTicker(n.db.opts.Poll)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-n.poked:
		case <-tick.C:
		}
		if err := p.id.check(); err != nil {
			n.db.end(err) // from here on nobody touches the file
			return
		}
		got, any, err := p.look()
		if err != nil {
			n.db.log.Debug("looking for commits failed", "error", err)
			continue
		}
		if any {
			n.tell(got)
		}
	}
}

func (n *notice) tell(got news) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for ch := range n.users {
		mine := got
		for sent := false; !sent; {
			select {
			case ch <- mine:
				sent = true
			default:
				select {
				case old := <-ch:
					mine = old.and(mine)
				default:
				}
			}
		}
	}
}

func (n news) and(o news) news {
	both := news{tables: map[string]bool{}, local: n.local || o.local, schema: n.schema || o.schema}
	for t := range n.tables {
		both.tables[t] = true
	}
	for t := range o.tables {
		both.tables[t] = true
	}
	return both
}

// poller compares what the file's counters say with what they said before.
type poller struct {
	c       *lite.DB
	id      *identity
	version int64 // PRAGMA data_version: moves with every commit of another connection
	ddl     int64
	last    int64         // highest rowid of the log
	next    int64         // number of the next changeset
	wants   int64         // moves when other scopes are wanted
	touched map[int]int64 // counters of _tm_touch
	names   map[int]string
}

func newPoller(path string) (*poller, error) {
	c, err := openReader(path)
	if err != nil {
		return nil, err
	}
	p := &poller{c: c}
	if p.id, err = identify(path); err == nil {
		_, _, err = p.look()
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return p, nil
}

// look reports what was committed since the last look.
func (p *poller) look() (got news, any bool, err error) {
	version, err := p.c.Int("PRAGMA data_version")
	if err != nil || version == p.version {
		return got, false, err
	}
	err = p.c.View(func() error {
		got, err = p.read()
		return err
	})
	if err == nil {
		p.version = version
	}
	return got, err == nil, err
}

func (p *poller) read() (news, error) {
	got := news{tables: map[string]bool{}}
	ddl, err := p.c.Int("PRAGMA schema_version")
	if err != nil {
		return got, err
	}
	if got.schema = ddl != p.ddl; got.schema {
		if p.names, err = tableNames(p.c); err != nil {
			return got, err
		}
	}
	if err := p.readLog(&got); err != nil {
		return got, err
	}
	if err := p.readTouched(&got); err != nil {
		return got, err
	}
	p.ddl = ddl
	return got, nil
}

// readLog looks at what was captured. Records that were sealed in the meantime
// are gone; sealing has counted their tables in _tm_touch.
func (p *poller) readLog(got *news) error {
	ids, err := capture.Touched(p.c, capture.Main, p.last)
	if err != nil {
		return err
	}
	for _, id := range ids {
		got.tables[p.names[id]] = true
	}
	last, err := p.c.Int("SELECT max(n) FROM main._tm_log")
	if err != nil {
		return err
	}
	next, err := p.c.Int("SELECT v FROM main._tm_meta WHERE k = 'next_n'")
	if err != nil {
		return err
	}
	wants, err := p.c.Int("SELECT v FROM main._tm_meta WHERE k = 'wants'")
	if err != nil {
		return err
	}
	got.local = last != p.last || next != p.next || wants != p.wants
	p.last, p.next, p.wants = last, next, wants
	return nil
}

func (p *poller) readTouched(got *news) error {
	now := map[int]int64{}
	err := p.c.Each("SELECT t, counter FROM main._tm_touch", func(s *lite.Stmt) error {
		id := int(s.Int(0))
		if now[id] = s.Int(1); now[id] != p.touched[id] {
			got.tables[p.names[id]] = true
		}
		return nil
	})
	if err == nil {
		p.touched = now
	}
	return err
}

// tableNames maps the IDs of synced tables to their folded names.
func tableNames(c *lite.DB) (map[int]string, error) {
	names := map[int]string{}
	err := c.Each("SELECT t, name FROM main._tm_table WHERE coalesce(out, '') = ''", func(s *lite.Stmt) error {
		names[int(s.Int(0))] = fold(s.Text(1))
		return nil
	})
	return names, err
}

// fold lowers A to Z, as SQLite does where it compares names.
func fold(name string) string {
	b := []byte(name)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
