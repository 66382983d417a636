package lite

import (
	"context"

	"github.com/ncruces/go-sqlite3"
)

// memory is what one connection may take at most. SQLite holds a value several
// times over while it writes it; the driver's default of 256 MiB ends at a
// value of about 50 MiB, which is less than a changeset may be. Only address
// space is reserved.
const memory = 1 << 30

func roomy() context.Context { return sqlite3.WithMaxMemory(context.Background(), memory) }

// guard makes an error of the driver's panic when memory ends: the transaction
// can be undone, and other work goes on.
func guard(fn func() error) (err error) {
	defer func() {
		if exhausted(recover()) {
			err = sqlite3.NOMEM
		}
	}()
	return fn()
}

// exhausted judges what recover returned, and panics again when it is not this.
func exhausted(p any) bool {
	if p == nil {
		return false
	}
	if e, ok := p.(error); ok && e.Error() == "sqlite3: out of memory" {
		return true
	}
	panic(p)
}
