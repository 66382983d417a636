//go:build !planted

package planted

// On says whether this build can have faults.
const On = false

// Is reports whether fault f is planted: never, in this build.
func Is(Fault) bool { return false }
