package sim

import "math/rand/v2"

// faults is what can go wrong in a run. Every kind is on or off by the seed, so
// that some runs see few faults often: bugs hide behind the noise of all at once.
type faults struct {
	frames  bool // single frames are lost, doubled, swapped, cut; else a loss breaks the connection
	loss    float64
	twice   float64
	damage  float64
	plain   float64 // share of devices that only have plain HTTP
	latency int64   // milliseconds at most

	breaks    float64 // chances per step
	storm     float64
	partition float64
	kill      float64 // a device's engine dies
	power     float64 // a device loses its power
	midway    float64 // a death comes in the middle of a write
	serverDie float64
	deaf      float64 // the connection dies between commit and answer
	foreign   float64 // somebody writes into the server's file
	ddl       float64 // somebody changes the schema of the server's file
	clock     float64
	fork      float64
	clone     float64 // somebody makes another copy
	restore   float64
	want      float64 // somebody subscribes to other scopes
	hands     float64 // somebody else signs in on a device
	declare   float64 // the scopes are declared in another way
	verify    float64
	rot       float64 // a row changes behind capture's back
	disk      float64 // a write fails, for want of room or for no reason
	dispose   float64 // somebody discards or retries what was rejected
	logout    float64 // somebody logs out
}

func chooseFaults(r *rand.Rand, calm bool) faults {
	f := faults{latency: 1 + r.Int64N(120)}
	if calm {
		return f
	}
	some := func(p float64) float64 {
		if r.IntN(2) == 0 {
			return 0
		}
		return p * (0.3 + r.Float64())
	}
	f.frames = r.IntN(5) == 0
	f.plain = some(0.5)
	f.loss, f.twice, f.damage = some(0.05), some(0.05), some(0.01)
	f.breaks, f.storm, f.partition = some(0.05), some(0.01), some(0.04)
	f.kill, f.power, f.midway = some(0.04), some(0.04), some(0.5)
	f.serverDie, f.deaf = some(0.03), some(0.1)
	f.foreign, f.clock = some(0.06), some(0.03)
	f.clone, f.ddl = some(0.02), some(0.03)
	f.disk = some(0.03)
	f.verify, f.rot, f.dispose = some(0.02), some(0.01), some(0.04)
	f.want, f.hands, f.declare = some(0.04), some(0.1), some(0.01)
	if r.IntN(4) == 0 {
		f.fork = 0.01
	}
	if r.IntN(4) == 0 {
		f.restore = 0.008
	}
	return f
}

// logouts has a source of its own: what other seeds do stays as it was.
func (f *faults) logouts(r *rand.Rand, calm bool) {
	if !calm && r.IntN(4) == 0 {
		f.logout = 0.02
	}
}

// expect makes one kind of mishap likely.
func (f *faults) expect(kind string) {
	switch kind {
	case "fork":
		f.fork, f.frames = 0.03, false
	case "restore":
		f.restore, f.frames = 0.03, false
	case "frames":
		f.frames, f.loss, f.plain = true, 0.05, 0
	case "foreign":
		f.foreign = 0.3
	case "logout":
		f.logout = 0.05
	case "declare":
		f.declare, f.want = 0.05, 0.08
	case "catch-up":
		f.partition, f.power, f.frames = 0.08, 0.06, false
	}
}
