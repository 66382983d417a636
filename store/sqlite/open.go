package sqlite

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/planted"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// Open opens a served file and adopts it first when it is a plain one.
func Open(path string, o Options) (*Store, error) {
	o = o.withDefaults()
	s := &Store{
		path: path, opts: o, policies: o.Policies, declaredRules: o.Rules, scopes: o.Scopes,
		version: -1, leftOut: map[string]bool{}, ended: make(chan struct{}), book: newBook(),
	}
	if err := present(path, o); err != nil {
		return nil, err
	}
	var err error
	if s.db, err = lite.Open(path, lite.Options{VFS: o.VFS, Busy: o.Busy, Create: o.Create}); err != nil {
		return nil, s.explain("open", err)
	}
	if s.id, err = identify(path, o); err != nil {
		_ = s.db.Close()
		return nil, s.explain("open", err)
	}
	if err := s.start(); err != nil {
		_ = s.db.Close()
		return nil, s.explain("open", err)
	}
	if err := s.openReaders(); err != nil {
		_ = s.db.Close()
		return nil, s.explain("open", err)
	}
	return s, nil
}

// present refuses what is not a file that can be written, before SQLite makes
// its own sense of it.
func present(path string, o Options) error {
	if o.VFS != "" {
		return nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.Create:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return &tidemark.Error{
			Code: tidemark.CodeNoSpace, Op: "open", Space: o.Space, Msg: "there is no file " + path,
			Hint: "check the path, or ask for a new space to be created",
		}
	case err != nil:
		return &tidemark.Error{
			Code: tidemark.CodeNotSQLite, Op: "open", Space: o.Space, Msg: path + " cannot be opened", Err: err,
			Hint: "give the path of an SQLite file",
		}
	case !info.IsDir() && !info.Mode().IsRegular(): // to open a pipe waits for ever
		return &tidemark.Error{
			Code: tidemark.CodeNotSQLite, Op: "open", Space: o.Space, Msg: path + " is no file but a device or a pipe",
			Hint: "give the path of an SQLite file",
		}
	case info.IsDir():
		return &tidemark.Error{
			Code: tidemark.CodeNotSQLite, Op: "open", Space: o.Space, Msg: path + " is a directory",
			Hint: "give the path of an SQLite file",
		}
	case info.Mode().Perm()&0o222 == 0:
		return readOnly(path, "open")
	}
	return nil
}

// start adopts the file if need be and takes over what it holds.
func (s *Store) start() error {
	if ro, ok := s.db.Conn().ReadOnly("main"); ok && ro {
		return readOnly(s.path, "open")
	}
	role, err := meta.Adopted(s.db)
	if err != nil {
		return err
	}
	switch role {
	case "":
		if err := s.adopt(); err != nil {
			return err
		}
	case meta.RoleServer:
	default:
		return wrongRole(s.path, "open", role)
	}
	if err := s.readFacts(); err != nil {
		return err
	}
	if err := s.upgrade(); err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return err
	}
	if err := s.forgive(); err != nil {
		return err
	}
	if err := s.readState(); err != nil {
		return err
	}
	if s.declaredRules != nil {
		if _, err := s.declaredRules(s.last.Load().schema); err != nil {
			return err
		}
	}
	return s.redeclare()
}

// forgive counts the violations again that were accepted at adoption: once they
// are mended, foreign keys can be trusted to SQLite's own count.
func (s *Store) forgive() error {
	accepted, err := meta.Int(s.db, keyAccepted)
	if err != nil || accepted == 0 {
		return err
	}
	sc, err := s.schemaIn(s.db)
	if err != nil {
		return err
	}
	bad, err := schema.Violations(s.db, sc, 0)
	if err != nil || int64(len(bad)) == accepted {
		return err
	}
	return meta.SetInt(s.db, keyAccepted, int64(len(bad)))
}

func (s *Store) readFacts() error {
	space, err := meta.Get(s.db, meta.KeySpace)
	if err != nil {
		return err
	}
	if s.opts.Space == "" {
		s.opts.Space = space
	}
	if space != s.opts.Space {
		return &tidemark.Error{
			Code: tidemark.CodeWrongSpace, Op: "open", Space: s.opts.Space, Msg: s.path + " holds the space " + space,
			Hint: "serve it under that name, or detach it first to make another space of it: tidemark detach FILE",
		}
	}
	if s.incarnation, err = meta.Get(s.db, meta.KeyIncarnation); err != nil {
		return err
	}
	key, err := meta.Value(s.db, meta.KeyDigestKey)
	copy(s.key[:], key.Str())
	return err
}

// prepare sets the writing connection up. The file's own triggers are off: what
// of them must act here gets a TEMP mirror.
func (s *Store) prepare() error {
	mode, err := s.db.Text("PRAGMA main.journal_mode = " + s.opts.Journal)
	if err != nil {
		return err
	}
	if !strings.EqualFold(mode, s.opts.Journal) {
		return &tidemark.Error{
			Code: tidemark.CodeBusy, Op: "open", Space: s.opts.Space,
			Msg:  "the journal mode of " + s.path + " stays " + mode + ", because another program has the file open",
			Hint: "close that program for a moment",
		}
	}
	if err := s.db.AllowQuotedStrings(); err != nil {
		return err
	}
	for _, pragma := range []string{"main.synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY"} {
		if err := s.db.Run("PRAGMA " + pragma); err != nil {
			return err
		}
	}
	if planted.Is(planted.AckBeforeCommit) {
		return errors.Join(s.db.Run("PRAGMA main.synchronous = OFF"), s.db.SetTriggers(false))
	}
	return s.db.SetTriggers(false)
}

func (s *Store) readState() error {
	s.hasher = digest.New(s.key)
	s.ledger = newLedger(s.hasher)
	if err := s.ledger.load(s.db, "main"); err != nil {
		return err
	}
	sc, err := s.schemaIn(s.db)
	if err != nil {
		return err
	}
	head, term, err := readPlace(s.db, "main")
	if err != nil {
		return err
	}
	s.last.Store(&state{schema: sc, head: head, term: term, sum: s.ledger.total(sc)})
	return nil
}

func (s *Store) openReaders() error {
	var open []*lite.DB
	for range s.opts.Readers {
		db, err := lite.Open(s.path, lite.Options{VFS: s.opts.VFS, Busy: s.opts.Busy})
		if err == nil {
			open = append(open, db)
			err = db.Run("PRAGMA query_only = ON")
		}
		if err != nil {
			for _, db := range open {
				_ = db.Close()
			}
			return err
		}
	}
	s.readers = make(chan *lite.DB, len(open))
	for _, db := range open {
		s.readers <- db
	}
	return nil
}

// openServed opens a file that must be a served one, for a single operation.
func openServed(path string, o lite.Options, op string) (*lite.DB, error) {
	if err := present(path, Options{VFS: o.VFS}); err != nil && !(o.ReadOnly && tidemark.CodeOf(err) == tidemark.CodeReadOnly) {
		return nil, err
	}
	db, err := lite.Open(path, o)
	if err != nil {
		return nil, explainOpen(path, op, err)
	}
	role, err := meta.Adopted(db)
	if err == nil && role != meta.RoleServer {
		err = wrongRole(path, op, role)
	}
	if err == nil {
		err = db.AllowQuotedStrings()
	}
	if err != nil {
		_ = db.Close()
		return nil, explainOpen(path, op, err)
	}
	return db, nil
}
