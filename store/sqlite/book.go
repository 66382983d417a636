package sqlite

import (
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// maxAccounts bounds how many scopes are kept in memory from group to group.
const maxAccounts = 50_000

// account is a scope in use.
type account struct {
	i      int64 // _tm_scope.i
	name   string
	sum    uint64
	stored uint64 // as it stands in _tm_scope
}

// book holds the sums of the scopes that groups are about in memory and writes
// those that changed once per group. It follows savepoints, as the ledger does.
type book struct {
	byName map[string]*account
	byID   map[int64]*account
	group  map[*account]bool // what happened in the running group happened to these, or less
	frames []bookFrame
}

// bookFrame is what a savepoint has to put back.
type bookFrame struct {
	sums map[*account]uint64
	made []*account
}

func newBook() *book {
	b := &book{}
	b.drop()
	return b
}

// drop forgets everything; what is asked for is read again.
func (b *book) drop() {
	b.byName, b.byID, b.group, b.frames = map[string]*account{}, map[int64]*account{}, map[*account]bool{}, nil
}

// named returns the account of a scope and makes it when it is new.
func (b *book) named(db *lite.DB, name string) (*account, error) {
	if a := b.byName[name]; a != nil {
		return a, nil
	}
	r, err := db.Get("SELECT i, sum FROM main._tm_scope WHERE name = ?1", tidemark.Text(name))
	if err != nil {
		return nil, err
	}
	if r != nil {
		return b.keep(&account{i: r[0].Int64(), name: name, sum: uint64(r[1].Int64())}), nil
	}
	if err := db.Run("INSERT INTO main._tm_scope (name, sum) VALUES (?1, 0)", tidemark.Text(name)); err != nil {
		return nil, err
	}
	a := b.keep(&account{i: db.Conn().LastInsertRowID(), name: name})
	if n := len(b.frames); n > 0 {
		b.frames[n-1].made = append(b.frames[n-1].made, a)
	}
	return a, nil
}

// numbered returns the account with a number, which must be there.
func (b *book) numbered(db *lite.DB, i int64) (*account, error) {
	if a := b.byID[i]; a != nil {
		return a, nil
	}
	r, err := db.Get("SELECT name, sum FROM main._tm_scope WHERE i = ?1", tidemark.Int(i))
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, &tidemark.Error{Code: tidemark.CodeCorrupt, Op: "append", Msg: "a row is in a scope that the bookkeeping does not know"}
	}
	return b.keep(&account{i: i, name: r[0].Str(), sum: uint64(r[1].Int64())}), nil
}

func (b *book) keep(a *account) *account {
	a.stored = a.sum
	b.byName[a.name], b.byID[a.i] = a, a
	return a
}

// add books what a scope's rows are more than they were.
func (b *book) add(a *account, difference uint64) { b.set(a, a.sum+difference) }

func (b *book) set(a *account, sum uint64) {
	b.group[a] = true
	if sum == a.sum {
		return
	}
	if n := len(b.frames); n > 0 {
		b.frames[n-1].save(a, a.sum)
	}
	a.sum = sum
}

// save keeps the first sum that it is told of.
func (f *bookFrame) save(a *account, sum uint64) {
	if f.sums == nil {
		f.sums = map[*account]uint64{}
	}
	if _, saved := f.sums[a]; !saved {
		f.sums[a] = sum
	}
}

// begin opens a frame; end closes it, and takes back what happened in it unless keep.
func (b *book) begin() { b.frames = append(b.frames, bookFrame{}) }

func (b *book) end(keep bool) {
	last := len(b.frames) - 1
	frame := b.frames[last]
	b.frames = b.frames[:last]
	if keep && last > 0 {
		outer := &b.frames[last-1]
		outer.made = append(outer.made, frame.made...)
		for a, sum := range frame.sums {
			outer.save(a, sum)
		}
	}
	if keep {
		return
	}
	for a, sum := range frame.sums {
		a.sum = sum
	}
	for _, a := range frame.made {
		delete(b.byName, a.name)
		delete(b.byID, a.i)
		delete(b.group, a)
	}
}

// touched lists the scopes that something may have happened to, by name.
func (b *book) touched() []*account {
	list := make([]*account, 0, len(b.group))
	for a := range b.group {
		list = append(list, a)
	}
	slices.SortFunc(list, func(p, q *account) int { return strings.Compare(p.name, q.name) })
	return list
}

// flush writes the sums that changed.
func (b *book) flush(db *lite.DB) error {
	for _, a := range b.touched() {
		if a.sum == a.stored {
			continue
		}
		if err := db.Run("UPDATE main._tm_scope SET sum = ?2 WHERE i = ?1", tidemark.Int(a.i), tidemark.Int(int64(a.sum))); err != nil {
			return err
		}
	}
	return nil
}

// settle begins the next group after a commit.
func (b *book) settle() {
	if len(b.byName) > maxAccounts {
		b.drop()
		return
	}
	for a := range b.group {
		a.stored = a.sum
	}
	clear(b.group)
}
