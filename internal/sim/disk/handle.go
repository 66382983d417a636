package disk

import (
	"io"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"
)

// handle is an open file with the lock that it holds.
type handle struct {
	proc     *Process
	file     *file
	lock     vfs.LockLevel
	temp     bool // neither locks nor power cuts concern it
	readOnly bool
	gone     string // name to delete on close
}

var _ vfs.FileLockState = (*handle)(nil)

func (h *handle) Close() error {
	h.release()
	for i, other := range h.proc.handles {
		if other == h {
			h.proc.handles = append(h.proc.handles[:i], h.proc.handles[i+1:]...)
			break
		}
	}
	if h.gone != "" && !h.proc.dead {
		delete(h.proc.disk.files, h.gone)
	}
	return nil
}

func (h *handle) ReadAt(b []byte, off int64) (int, error) {
	if h.proc.dead {
		return 0, sqlite3.IOERR_READ
	}
	n := 0
	if off < int64(len(h.file.data)) {
		n = copy(b, h.file.data[off:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (h *handle) WriteAt(b []byte, off int64) (int, error) {
	w := write{off: off, bytes: append(make([]byte, 0, len(b)), b...)}
	if h.temp {
		h.file.data = w.on(h.file.data)
		return len(b), nil
	}
	if err := h.proc.write(); err != nil {
		return 0, err
	}
	h.file.apply(w)
	return len(b), nil
}

func (h *handle) Truncate(size int64) error {
	if h.temp {
		h.file.data = resize(h.file.data, size)
		return nil
	}
	if err := h.proc.write(); err != nil {
		return err
	}
	h.file.apply(write{off: size})
	return nil
}

func (h *handle) Sync(vfs.SyncFlag) error {
	if h.temp {
		return nil
	}
	if err := h.proc.write(); err != nil {
		return sqlite3.IOERR_FSYNC
	}
	h.file.sync()
	return nil
}

func (h *handle) Size() (int64, error) {
	if h.proc.dead {
		return 0, sqlite3.IOERR_FSTAT
	}
	return int64(len(h.file.data)), nil
}

// Lock implements the levels of https://www.sqlite.org/lockingv3.html without waiting.
func (h *handle) Lock(level vfs.LockLevel) error {
	if h.proc.dead {
		return sqlite3.IOERR_LOCK
	}
	if h.lock >= level || h.temp {
		return nil
	}
	f := h.file
	switch level {
	case vfs.LOCK_SHARED:
		if f.pending != nil {
			return sqlite3.BUSY
		}
		f.shared++
	case vfs.LOCK_RESERVED:
		if f.reserved != nil {
			return sqlite3.BUSY
		}
		f.reserved = h
	case vfs.LOCK_EXCLUSIVE:
		return h.exclusive()
	}
	h.lock = level
	return nil
}

// exclusive keeps new readers out, and succeeds once the old ones are gone.
func (h *handle) exclusive() error {
	f := h.file
	if f.pending != nil && f.pending != h {
		return sqlite3.BUSY
	}
	f.pending = h
	h.lock = vfs.LOCK_PENDING
	if f.shared > 1 {
		return sqlite3.BUSY
	}
	h.lock = vfs.LOCK_EXCLUSIVE
	return nil
}

func (h *handle) Unlock(level vfs.LockLevel) error {
	if h.lock <= level || h.temp {
		return nil
	}
	f := h.file
	if f.reserved == h {
		f.reserved = nil
	}
	if f.pending == h {
		f.pending = nil
	}
	if level < vfs.LOCK_SHARED {
		f.shared--
	}
	h.lock = level
	return nil
}

// release drops every lock, whatever state the handle is in.
func (h *handle) release() {
	if !h.temp {
		_ = h.Unlock(vfs.LOCK_NONE)
	}
}

func (h *handle) CheckReservedLock() (bool, error) {
	if h.proc.dead {
		return false, sqlite3.IOERR_CHECKRESERVEDLOCK
	}
	return h.file.reserved != nil, nil
}

// LockState lets SQLite ask which lock is held.
func (h *handle) LockState() vfs.LockLevel { return h.lock }

func (h *handle) SectorSize() int { return sector }

// DeviceCharacteristics promises only what file systems of today do.
func (h *handle) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return vfs.IOCAP_POWERSAFE_OVERWRITE
}
