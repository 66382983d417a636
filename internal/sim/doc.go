// Package sim runs replicas and a server on a bad network and bad disks, in
// one process, one goroutine, one virtual clock and from one seed. It drives
// the engines that ship: internal/replica with its loop on every device,
// store/sqlite with internal/hub on the server, internal/wire between them.
//
// A run has two phases. In the first, devices write and everything that can go
// wrong does. In the second the network heals, everyone is restarted, nobody
// writes; it must be quiet within thirty seconds of virtual time. What must
// hold in every state is checked after every event; what must hold in the end
// is checked in the end. Each check names its invariant:
//
//	I1  what a device committed is pending or has an outcome
//	I2  what the server told stays true
//	I3  a changeset has one fate and is applied at most once
//	I4  a replica's changesets are judged in the order of their numbers
//	I5  nobody sees half a changeset
//	I6  committed = accepted + merged + rejected + pending
//	I7  a read is confirmed plus pending, at one seq
//	I8  a changeset leaves pending only with its confirmed rows
//	I9  the checkpoint never goes back
//	I10 a changeset comes after what it had seen
//	I11 left alone, everything settles
//	I12 a rejected changeset delays nobody
//	I13 all copies are equal, and so are their digests
//	I14 the state is what the oracle computes
//	I15 constraints hold
//	I18 a restored server and a copied file are noticed
//	I20 values survive exactly
//	I21 a device is sent what its owner may read, and nothing else moves it
//	I22 what a device may not hold any more is gone from its file
//	I23 what was accepted satisfied its rule
//	I24 a wipe leaves nothing, or the whole copy; what is nowhere else goes by force only
//	I25 a changeset is only sent in the name of whose it is
//	I29 the same seed gives the same run
//
// The expected state comes from package oracle, which shares no code with the
// engines. What a device committed is taken from two dumps of its tables, not
// from the engine's capture.
//
// Where scopes are declared (W8 scopes, W9 grants) a device holds a part of the
// state, and who may read what is known twice: in SQL, as a server takes it, and
// in Go, for the oracle. Texts that occur nowhere else show where rows got to: they
// are looked for in every message and, when a device lost a scope, in its file. A
// longer look at scopes alone:
//
//	go test ./internal/sim -run 'TestSim$' -sim.workload='W9 grants' -sim.likely=declare -sim.time=10m -timeout 0
//
// In the workload hooks somebody's code on the server lets changesets wait,
// amends and rejects them, by their rows and now and then by a whim. In half of
// the runs it is at the other end of a network: it answers late, when the rows
// are others, or not at all.
//
// Run is the entry. A Failure carries the seed, the last events and the
// command that repeats it; testdata/seeds.txt keeps seeds that failed once.
package sim
