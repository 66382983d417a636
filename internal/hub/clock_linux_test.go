package hub_test

import (
	"syscall"
	"time"
)

// cpu is the CPU time of this thread: other work on the machine does not count.
func cpu() time.Duration {
	const thread = 1 // RUSAGE_THREAD
	var r syscall.Rusage
	if err := syscall.Getrusage(thread, &r); err != nil {
		panic(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
