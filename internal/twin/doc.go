// Package twin runs one seeded script in two worlds at once: in the one every
// copy is a Go replica, in the other some or all are replicas of the TypeScript
// engine, in a Node process beside. Each world has a server of its own; time
// and randomness are the same. After every step both must have done the same:
// sent the same bytes, told the app the same, stored the same rows, the app's
// and those of the bookkeeping.
//
// The worlds share no state, so one that has copies of both kinds shows as well
// that they understand each other.
//
// Run is the entry. What happens is a list of explicit operations, planned by
// looking at the first world; a Failure carries them, and Shrink finds a short
// list that still fails.
package twin
