// Package disk is a file system in memory whose power can be cut. It stands in
// for the operating system under SQLite, so that the simulator can crash a
// database at any write and see what a real disk might have kept.
//
// A Disk is one machine's disk. A Process is one program on that machine: it
// is registered with SQLite under its own name, several processes share the
// disk's files and respect each other's locks, and each can be killed on its
// own. What a process wrote survives its death, as it does in an operating
// system's cache; what was not synced may be lost when the power goes.
//
// Caveats: no shared memory, so no WAL; SQLite stays with its rollback
// journal. Deleting a file is durable at once, as with synchronous=EXTRA;
// creating one is durable with its first sync, as SQLite syncs the directory
// then. Nothing here blocks: a lock that is taken answers SQLITE_BUSY. A Disk
// belongs to one goroutine.
package disk

import (
	"math/rand/v2"
	"sort"
	"strings"

	"github.com/ncruces/go-sqlite3/vfs"
)

// Disk holds the files of one machine.
type Disk struct {
	rand  *rand.Rand
	files map[string]*file
	procs []*Process
	moves int64 // counts writes, so that observers can tell whether anything moved
}

// New returns an empty disk. r decides what a power cut keeps.
func New(r *rand.Rand) *Disk {
	return &Disk{rand: r, files: map[string]*file{}}
}

// Writes counts the writes since the disk was made.
func (d *Disk) Writes() int64 { return d.moves }

// Start registers a new process with SQLite under name, which must be unique
// in the whole test binary. Stop it when it is not needed any more.
func (d *Disk) Start(name string) *Process {
	p := &Process{disk: d, name: name, fuse: -1}
	d.procs = append(d.procs, p)
	vfs.Register(name, p)
	return p
}

// PowerCut kills every process and keeps what a real disk might have kept:
// everything that was synced, and for each file none, all, the first or any of
// the writes behind its last sync, the last of them perhaps torn.
func (d *Disk) PowerCut() {
	for _, p := range d.procs {
		p.Kill()
	}
	for _, name := range d.names() {
		if !d.files[name].lose(d.rand) {
			delete(d.files, name)
		}
	}
}

// Copy returns another disk with the same files as every process sees them now.
func (d *Disk) Copy(r *rand.Rand) *Disk {
	other := New(r)
	for _, name := range d.names() {
		other.files[name] = newFile(d.files[name].data)
	}
	return other
}

// Replace puts the files of another disk in place of the ones here. No process may be alive.
func (d *Disk) Replace(other *Disk) {
	d.files = other.Copy(d.rand).files
	d.moves++
}

// Take moves a file here from another disk, as a download would.
func (d *Disk) Take(from *Disk, name, as string) {
	d.files[as] = newFile(from.files[name].data)
	delete(from.files, name)
}

// Contents returns a copy of a file as every process sees it now, nil when there is none.
func (d *Disk) Contents(name string) []byte {
	if d.files[name] == nil {
		return nil
	}
	return append([]byte{}, d.files[name].data...)
}

// Put makes a file that is durable at once, as one that was copied here long ago.
func (d *Disk) Put(name string, data []byte) { d.files[name] = newFile(append([]byte{}, data...)) }

// Remove takes a file away, as a person would.
func (d *Disk) Remove(name string) { delete(d.files, name) }

// Bytes returns the size of all files.
func (d *Disk) Bytes() int {
	n := 0
	for _, f := range d.files {
		n += len(f.data)
	}
	return n
}

// names lists the files in order: map order must never reach a random choice.
func (d *Disk) names() []string {
	names := make([]string, 0, len(d.files))
	for name := range d.files {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// String lists the files, for messages.
func (d *Disk) String() string { return strings.Join(d.names(), " ") }
