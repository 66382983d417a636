package disk

import "math/rand/v2"

// sector is what a disk writes at once: a torn write is cut between two.
const sector = 512

// file is the bytes that every process sees, and the bytes that survive.
type file struct {
	data    []byte
	synced  []byte
	named   bool // the directory entry is durable
	unsaved []write

	shared   int
	reserved *handle
	pending  *handle
}

// write is one change that no sync has followed yet; bytes nil means truncate to off.
type write struct {
	off   int64
	bytes []byte
}

func newFile(data []byte) *file {
	f := &file{named: true}
	f.data = append(f.data, data...)
	f.synced = append(f.synced, data...)
	return f
}

func (f *file) apply(w write) {
	f.data = w.on(f.data)
	f.unsaved = append(f.unsaved, w)
}

// sync makes everything so far durable.
func (f *file) sync() {
	for _, w := range f.unsaved {
		f.synced = w.on(f.synced)
	}
	f.unsaved = nil
	f.named = true
}

// lose cuts the power and reports whether the file is still there.
func (f *file) lose(r *rand.Rand) bool {
	f.shared, f.reserved, f.pending = 0, nil, nil
	keep := keeper(r, len(f.unsaved))
	image := f.synced
	for i, w := range f.unsaved {
		switch {
		case !keep(i):
		case i == len(f.unsaved)-1 && r.IntN(3) == 0:
			image = w.torn(r).on(image)
		default:
			image = w.on(image)
		}
	}
	f.synced = image
	f.data = append([]byte(nil), image...)
	f.unsaved = nil
	return f.named || r.IntN(2) == 0
}

// keeper chooses which of n writes survive.
func keeper(r *rand.Rand, n int) func(int) bool {
	switch r.IntN(4) {
	case 0:
		return func(int) bool { return false }
	case 1:
		return func(int) bool { return true }
	case 2:
		cut := r.IntN(n + 1)
		return func(i int) bool { return i < cut }
	}
	return func(int) bool { return r.IntN(2) == 0 }
}

// on returns b with the write done to it.
func (w write) on(b []byte) []byte {
	if w.bytes == nil {
		return resize(b, w.off)
	}
	if end := w.off + int64(len(w.bytes)); int64(len(b)) < end {
		b = resize(b, end)
	}
	copy(b[w.off:], w.bytes)
	return b
}

func (w write) torn(r *rand.Rand) write {
	sectors := len(w.bytes) / sector
	if sectors < 2 {
		return w
	}
	return write{off: w.off, bytes: w.bytes[:sector*(1+r.IntN(sectors-1))]}
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}
