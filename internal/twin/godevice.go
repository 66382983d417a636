package twin

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/replica"
	"github.com/tidemarkdb/tidemark/internal/sim/disk"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// copyFile is the name of a device's copy on its disk.
const copyFile = "copy.db"

// fileSystems numbers the virtual disks of this process: SQLite knows them by name.
var fileSystems atomic.Int64

func start(d *disk.Disk, part string) *disk.Process {
	return d.Start(fmt.Sprintf("twin-%d-%s", fileSystems.Add(1), part))
}

// newDisk returns a disk whose power is never cut.
func newDisk() *disk.Disk { return disk.New(rand.New(rand.NewPCG(0, 0))) }

// goDevice runs the Go engine, on a connection of its own beside the app's.
type goDevice struct {
	seed  uint64
	name  string
	lives int
	now   int64
	disk  *disk.Disk
	app   *disk.Process
	host  *disk.Process
	db    *lite.DB // the app's
	r     *replica.Replica
	loop  *replica.Loop
	salts *stream
	short *wire.Shorthand // of the connection; nil: everything is written in full
	brief bool
}

func newGoDevice(seed uint64, name string, brief bool) *goDevice {
	return &goDevice{seed: seed, name: name, brief: brief, disk: newDisk()}
}

func (d *goDevice) create(snapshot []byte, state tidemark.SpaceState, schema *tidemark.Schema, o Op) error {
	want, err := wanted(o.Stmts)
	if err != nil {
		return err
	}
	d.disk.Put(copyFile, snapshot)
	p := start(d.disk, "maker")
	defer p.Stop()
	err = replica.Create(copyFile, replica.CreateOptions{
		Options: replica.Options{VFS: p.Name(), Journal: "delete", Rand: newStream(d.seed, "maker")},
		Server:  "twin", State: state, Schema: schema, ReadOnly: o.Flag, Only: o.Loose, Want: want,
	})
	if err != nil {
		return err
	}
	return d.open()
}

func (d *goDevice) adopt(image []byte) error {
	d.disk.Put(copyFile, image)
	return d.open()
}

func (d *goDevice) image() ([]byte, error) { return d.disk.Contents(copyFile), nil }

func (d *goDevice) open() (err error) {
	d.lives++
	part := fmt.Sprintf("device %s life %d", d.name, d.lives)
	d.app, d.host = start(d.disk, "app"), start(d.disk, "engine")
	if d.db, err = lite.Open(copyFile, lite.Options{VFS: d.app.Name(), Busy: -1}); err != nil {
		return err
	}
	if err = d.db.Run("PRAGMA foreign_keys = ON"); err != nil {
		return err
	}
	if err = d.db.SetClock(func() int64 { return d.now }); err != nil {
		return err
	}
	d.salts = newStream(d.seed, part)
	d.r, err = replica.Open(copyFile, replica.Options{
		VFS: d.host.Name(), Rand: d.salts, Agent: "twin", Merge: mergeFunctions(),
	})
	if err != nil {
		return err
	}
	d.loop = replica.NewLoop(d.r, replica.LoopOptions{
		Rand: newStream(d.seed, part+" loop"), MinDelay: minDelay, MaxDelay: maxDelay,
		Patience: patience, Keepalive: keepalive, PushBytes: pushBytes,
	})
	return nil
}

// The settings of every loop.
const (
	minDelay  = 100 * time.Millisecond
	maxDelay  = 4 * time.Second
	patience  = 4 * time.Second
	keepalive = 6 * time.Second
	pushBytes = 1 << 10
)

func (d *goDevice) close() {
	for _, p := range []*disk.Process{d.app, d.host} {
		if p != nil {
			p.Kill()
		}
	}
	if d.r != nil {
		_ = d.r.Close()
	}
	if d.db != nil {
		_ = d.db.Close()
	}
	for _, p := range []*disk.Process{d.app, d.host} {
		if p != nil {
			p.Stop()
		}
	}
	d.app, d.host, d.db, d.r, d.loop = nil, nil, nil, nil, nil
}

func (d *goDevice) reopen() error {
	d.close()
	return d.open()
}

func (d *goDevice) write(now int64, w Op) (string, error) {
	d.now = now
	return loosely(d.db, w.Loose, func() (string, error) {
		return transact(d.db, w.Stmts, func(run func() error) error {
			if !w.Flag {
				return run()
			}
			first, err := capture.Begin(d.db)
			if err != nil {
				return err
			}
			if err := run(); err != nil {
				return err
			}
			seq, err := meta.Int(d.db, meta.KeySeq)
			if err != nil {
				return err
			}
			m := capture.Mark{First: first, MadeAt: now, Seen: tidemark.Seq(seq)}
			if _, err := d.salts.Read(m.Salt[:]); err != nil {
				return err
			}
			_, err = capture.End(d.db, m)
			return err
		})
	})
}

// refusal is an error of a statement of the app, at its place.
type refusal struct {
	at  int
	err error
}

func (r *refusal) Error() string { return r.err.Error() }

// transact runs statements in one transaction, and says what became of it.
func transact(db *lite.DB, stmts []Stmt, around func(run func() error) error) (string, error) {
	err := db.Transaction(func() error {
		return around(func() error {
			for i, s := range stmts {
				args, err := s.values()
				if err != nil {
					return err
				}
				if err := db.Run(s.SQL, args...); err != nil {
					return &refusal{at: i, err: err}
				}
			}
			return nil
		})
	})
	var r *refusal
	switch {
	case err == nil:
		return "committed", nil
	case errors.As(err, &r):
		return fmt.Sprintf("refused at %d: %s", r.at, codeOf(r.err)), nil
	}
	if v := lite.Violation(err); v != nil { // deferred to the commit
		return "refused: " + string(v.Code), nil
	}
	return "", err
}

func codeOf(err error) string {
	if v := lite.Violation(err); v != nil {
		return string(v.Code)
	}
	return "other"
}

// loosely runs fn with the constraints switched off that a program may switch off.
func loosely(db *lite.DB, loose bool, fn func() (string, error)) (said string, err error) {
	if !loose {
		return fn()
	}
	if err := enforce(db, false); err != nil {
		return "", err
	}
	said, err = fn()
	if on := enforce(db, true); err == nil {
		err = on
	}
	return said, err
}

func enforce(db *lite.DB, on bool) error {
	if err := db.Run(fmt.Sprintf("PRAGMA ignore_check_constraints = %v", !on)); err != nil {
		return err
	}
	return db.Run(fmt.Sprintf("PRAGMA foreign_keys = %v", on))
}

func (d *goDevice) tamper(now int64, w Op) (said string, err error) {
	d.now = now
	if err := d.db.SetTriggers(false); err != nil {
		return "", err
	}
	said, err = transact(d.db, w.Stmts, func(run func() error) error { return run() })
	if on := d.db.SetTriggers(true); err == nil {
		err = on
	}
	return said, err
}

func (d *goDevice) redefine(now int64, sql string) (string, error) {
	d.now = now
	if err := d.db.Script(sql); err != nil {
		return "refused", nil
	}
	return "done", nil
}

func (d *goDevice) dispose(now int64, o Op) (string, error) {
	d.now = now
	switch o.Do {
	case "discard":
		return fate(0, d.r.Discard(int64(o.N)))
	case "replace":
		args, err := o.Stmts[0].values()
		if err != nil {
			return "", err
		}
		edit := replica.Replacement{Table: o.Stmts[0].SQL, Column: args[0].Str(), Value: args[1], Key: args[2:]}
		return fate(d.r.ReplaceAndRetry(int64(o.N), []replica.Replacement{edit}, now))
	}
	return fate(d.r.Retry(int64(o.N), o.Flag, now))
}

func (d *goDevice) subscribe(now int64, only bool, want []wire.Want) (string, error) {
	d.now = now
	return fate(0, d.r.Subscribe(only, want))
}

func (d *goDevice) wants() (only bool, want []wire.Want, err error) { return d.r.Wants() }

func fate(parts int, err error) (string, error) {
	if c := tidemark.CodeOf(err); c != "" {
		return string(c), nil
	}
	return fmt.Sprintf("%d parts", parts), err
}

// imagine runs something, undoes it again, and returns the statements that it told.
func imagine(db *lite.DB, loose bool, run func(heard func(sql string, args []tidemark.Value)) error) (list []Stmt, err error) {
	undo := errors.New("undone")
	heard := func(sql string, args []tidemark.Value) { list = append(list, newStmt(sql, args)) }
	_, err = loosely(db, loose, func() (string, error) {
		err := db.Transaction(func() error {
			_ = run(heard) // what is refused is refused again
			return undo
		})
		if errors.Is(err, undo) {
			err = nil
		}
		return "", err
	})
	return list, err
}
