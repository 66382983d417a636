//go:build !linux

package capture

import "time"

var start = time.Now()

// clock is the time of day where the time of a thread is not to be had.
func clock() time.Duration { return time.Since(start) }
