//go:build race

package capture

// slow: under the race detector SQLite, which is Go code here, runs many times
// slower. Nothing in this package is concurrent, so fewer runs do.
const slow = true
