//go:build planted

package planted

import "sync/atomic"

// On says whether this build can have faults.
const On = true

var planted atomic.Pointer[Fault]

// Is reports whether fault f is planted.
func Is(f Fault) bool {
	p := planted.Load()
	return p != nil && *p == f
}

// Plant makes f the only fault; "" takes it out again.
func Plant(f Fault) { planted.Store(&f) }
