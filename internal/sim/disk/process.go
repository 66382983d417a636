package disk

import (
	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// Process is one program's view of a disk; it is what SQLite calls.
type Process struct {
	disk    *Disk
	name    string
	dead    bool
	fuse    int // writes until death; negative: none
	handles []*handle

	fail   int // writes until one fails; 0: none
	cause  error
	failed bool
}

// What a failing write can answer.
var (
	ErrFull error = sqlite3.FULL
	ErrIO   error = sqlite3.IOERR_WRITE
)

// Name is the name under which SQLite knows the process.
func (p *Process) Name() string { return p.name }

// Dead reports whether the process was killed, or its fuse burnt down.
func (p *Process) Dead() bool { return p.dead }

// Kill ends the process where it stands: its locks fall, every further call
// fails, what it wrote stays for the other processes.
func (p *Process) Kill() {
	p.dead = true
	for _, h := range p.handles {
		h.release()
	}
	p.handles = nil
}

// KillAfter kills the process in the middle of the n-th write from now, so
// that a transaction is cut where a person would never think of.
func (p *Process) KillAfter(n int) { p.fuse = n }

// FailAfter makes the n-th write from now fail once with err.
func (p *Process) FailAfter(n int, err error) { p.fail, p.cause = n, err }

// Failed reports whether a write failed since the last call.
func (p *Process) Failed() bool {
	failed := p.failed
	p.failed = false
	return failed
}

// Failing reports whether an injected failure is still to come.
func (p *Process) Failing() bool { return p.fail > 0 }

// Stop takes the process off SQLite's list. Its connections must be closed.
func (p *Process) Stop() {
	p.Kill()
	vfs.Unregister(p.name)
	for i, q := range p.disk.procs {
		if q == p {
			p.disk.procs = append(p.disk.procs[:i], p.disk.procs[i+1:]...)
			return
		}
	}
}

// write counts one write and says whether it happens.
func (p *Process) write() error {
	if p.dead {
		return sqlite3.IOERR_WRITE
	}
	p.disk.moves++
	if p.fuse >= 0 {
		if p.fuse--; p.fuse < 0 {
			p.Kill()
			return sqlite3.IOERR_WRITE
		}
	}
	if p.fail > 0 {
		if p.fail--; p.fail == 0 {
			p.failed = true
			return p.cause
		}
	}
	return nil
}

// Open implements vfs.VFS. A file without a name is temporary and private.
func (p *Process) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if p.dead {
		return nil, flags, sqlite3.CANTOPEN
	}
	if name == "" {
		return &handle{proc: p, file: &file{}, temp: true}, flags, nil
	}
	f := p.disk.files[name]
	if f == nil {
		if flags&vfs.OPEN_CREATE == 0 {
			return nil, flags, sqlite3.CANTOPEN
		}
		f = &file{}
		p.disk.files[name] = f
	}
	h := &handle{proc: p, file: f, readOnly: flags&vfs.OPEN_READONLY != 0}
	if flags&vfs.OPEN_DELETEONCLOSE != 0 {
		h.gone = name
	}
	p.handles = append(p.handles, h)
	return h, flags, nil
}

// Delete implements vfs.VFS.
func (p *Process) Delete(name string, _ bool) error {
	if p.disk.files[name] == nil {
		return sqlite3.IOERR_DELETE_NOENT
	}
	if err := p.write(); err != nil {
		return sqlite3.IOERR_DELETE
	}
	delete(p.disk.files, name)
	return nil
}

// Access implements vfs.VFS. An empty file counts as absent, as SQLite's own
// Unix file system has it.
func (p *Process) Access(name string, _ vfs.AccessFlag) (bool, error) {
	if p.dead {
		return false, sqlite3.IOERR_ACCESS
	}
	f := p.disk.files[name]
	return f != nil && len(f.data) > 0, nil
}

// FullPathname implements vfs.VFS: there are no folders.
func (p *Process) FullPathname(name string) (string, error) { return name, nil }
