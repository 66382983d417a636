//go:build !linux

package hub_test

import "time"

var began = time.Now()

// cpu is the time of day where the time of a thread is not to be had.
func cpu() time.Duration { return time.Since(began) }
