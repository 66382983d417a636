//go:build race

package hub_test

// slow says that everything takes ten times as long, so that long tests do less.
const slow = true
