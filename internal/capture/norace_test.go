//go:build !race

package capture

const slow = false
