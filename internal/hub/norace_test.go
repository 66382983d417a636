//go:build !race

package hub_test

const slow = false
