package server

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// slot is the place of a space that is open, or being opened, or could not be.
type slot struct {
	name, path string
	done       chan struct{} // closed when opening ended
	space      *space        // nil when it failed
	err        error
	at         time.Time // of the failure
}

// againAfter is how long a space that could not be opened is not tried again.
const againAfter = 2 * time.Second

// ready returns the space if it is open.
func (l *slot) ready() *space {
	select {
	case <-l.done:
		return l.space
	default:
		return nil
	}
}

// failed returns when it was that the space could not be opened, and why.
func (l *slot) failed() (time.Time, error) {
	select {
	case <-l.done:
		return l.at, l.err
	default:
		return time.Time{}, nil
	}
}

func isNameRune(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '_' || r == '-'
}

// maxName bounds the length of a space's name.
const maxName = 100

// checkName accepts letters, digits, dot, underscore and dash, a letter or digit first.
func checkName(name string) error {
	ok := name != "" && len(name) <= maxName && !strings.ContainsAny(name[:1], "._-")
	for _, r := range name {
		ok = ok && isNameRune(r)
	}
	if ok {
		return nil
	}
	return &tidemark.Error{
		Code: tidemark.CodeNoSpace, Op: "serve", Msg: fmt.Sprintf("%q cannot be the name of a space", name),
		Hint: "use letters, digits, dot, underscore and dash, a letter or digit first",
	}
}

// Add adopts a file, if it is not adopted yet, and serves it under name.
func (s *Server) Add(ctx context.Context, name, path string) error {
	if err := checkName(name); err != nil {
		return err
	}
	s.mu.Lock()
	if s.spaces[name] != nil {
		s.mu.Unlock()
		return &tidemark.Error{Code: tidemark.CodeExists, Op: "serve", Space: name, Msg: "a space of this name is served already"}
	}
	l, err := s.open(name, path, false)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-l.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if l.err != nil {
		s.mu.Lock()
		delete(s.spaces, name)
		s.mu.Unlock()
	}
	return l.err
}

// open begins to open a space. s.mu is held.
func (s *Server) open(name, path string, create bool) (*slot, error) {
	if s.closing {
		return nil, &tidemark.Error{Code: tidemark.CodeShutdown, Op: "serve", Msg: "the server is going down"}
	}
	l := &slot{name: name, path: path, done: make(chan struct{})}
	s.spaces[name] = l
	s.idle.Add(1)
	go func() {
		defer s.idle.Done()
		defer close(l.done)
		if l.space, l.err = s.openSpace(name, path, create); l.err != nil {
			l.at = time.Now()
			s.log.Error("space cannot be opened", "space", name, "path", path, "error", l.err, "hint", tidemark.HintOf(l.err))
		}
	}()
	return l, nil
}

func (s *Server) openSpace(name, path string, create bool) (*space, error) {
	declared, err := s.declared(path)
	if err != nil {
		return nil, err
	}
	store, err := sqlite.Open(path, sqlite.Options{
		Space: name, AcceptViolations: s.opts.AcceptViolations, Create: create,
		Warn:     func(message string) { s.log.Warn(message, "space", name) },
		Policies: declared.apply, Rules: declared.rules, Scopes: declared.scopes,
		Amends: s.opts.Hook != nil,
	})
	if err != nil {
		return nil, err
	}
	single, err := alone(store, name, path)
	if err != nil {
		return nil, err
	}
	sp, err := newSpace(s, name, path, s.tune.wrap(single))
	if err == nil {
		sp.redeclare = func(d declaration) error { return store.Declare(d.apply, d.rules, d.scopes) }
		sp.declaredIn.Store(&declared.file)
	}
	return sp, err
}

// space finds a space by its name and waits until it is open.
func (s *Server) space(ctx context.Context, name string) (*space, error) {
	l, err := s.slot(name)
	if err != nil {
		return nil, err
	}
	select {
	case <-l.done:
		return l.space, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *Server) slot(name string) (*slot, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.spaces[name]
	if l != nil {
		if at, err := l.failed(); err != nil && time.Since(at) >= againAfter {
			return s.open(name, l.path, false)
		}
		return l, nil
	}
	path, there, err := s.find(name)
	if err != nil {
		return nil, err
	}
	return s.open(name, path, !there)
}

// find looks for the file of a space in Options.Dir. Names are compared with
// those that the directory lists, so that none can lead out of it.
func (s *Server) find(name string) (path string, there bool, err error) {
	missing := &tidemark.Error{Code: tidemark.CodeNoSpace, Op: "serve", Space: name, Msg: "there is no space of this name here"}
	if s.opts.Dir == "" {
		return "", false, missing
	}
	files, err := s.files()
	if err != nil {
		return "", false, err
	}
	if file, ok := files[name]; ok {
		return file, true, nil
	}
	if !s.opts.Create {
		return "", false, missing
	}
	return filepath.Join(s.opts.Dir, name+".sqlite"), false, nil
}

// files lists the SQLite files of Options.Dir by the names of their spaces.
// Of two that would have one name the first in order is taken.
func (s *Server) files() (map[string]string, error) {
	list, err := os.ReadDir(s.opts.Dir)
	if err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeInternal, Op: "serve", Err: err, Msg: "the directory of spaces cannot be read"}
	}
	files := map[string]string{}
	for _, e := range list {
		name := strings.TrimSuffix(e.Name(), filepath.Ext(e.Name()))
		path := filepath.Join(s.opts.Dir, e.Name())
		if checkName(name) != nil || files[name] != "" || !isSQLite(path) {
			continue
		}
		files[name] = path
	}
	return files, nil
}

// isSQLite looks at the first bytes of a regular file.
func isSQLite(path string) bool {
	if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	const magic = "SQLite format 3\x00"
	b := make([]byte, len(magic))
	_, err = io.ReadFull(f, b)
	return err == nil && string(b) == magic
}

// SpaceInfo says of a space what a person wants to know.
type SpaceInfo struct {
	Name  string
	Path  string
	Open  bool  // it is open, and State counts
	Err   error // why it could not be opened
	State tidemark.SpaceState

	Policies string // the file that declares how edits merge; "": none, or not open
}

// Spaces lists the spaces that are served, by name: those that are open and
// those that Options.Dir holds.
func (s *Server) Spaces() ([]SpaceInfo, error) {
	byName := map[string]SpaceInfo{}
	if s.opts.Dir != "" {
		files, err := s.files()
		if err != nil {
			return nil, err
		}
		for name, path := range files {
			byName[name] = SpaceInfo{Name: name, Path: path}
		}
	}
	s.mu.Lock()
	for name, l := range s.spaces {
		info := SpaceInfo{Name: name, Path: l.path}
		if sp := l.ready(); sp != nil {
			info.Open, info.State, info.Policies = true, sp.State(), sp.policies()
		}
		_, info.Err = l.failed()
		byName[name] = info
	}
	s.mu.Unlock()
	list := make([]SpaceInfo, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		list = append(list, byName[name])
	}
	return list, nil
}

// Addresses lists where each space can be cloned from, given the address of
// the server, such as http://127.0.0.1:7420.
func (s *Server) Addresses(base string) ([]string, error) {
	spaces, err := s.Spaces()
	if err != nil {
		return nil, err
	}
	list := make([]string, len(spaces))
	for i, sp := range spaces {
		list[i] = strings.TrimRight(base, "/") + "/" + sp.Name
	}
	return list, nil
}
