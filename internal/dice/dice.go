// Package dice gives tests their seeds. Under CI=true, and wherever
// TIDEMARK_SEED names a seed, every run tries the same cases: what fails there
// fails again, and what passed was not luck. Elsewhere each test rolls a new
// seed and says when it fails how to repeat it.
//
// A test that uses rapid imports this package for its effect alone: it hands
// the seed to rapid, before flags are read, so -rapid.seed still has its say.
package dice

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	_ "pgregory.net/rapid" // declares its flag
)

// ordinary is the seed of CI.
const ordinary = 1

// Fixed says whether every run shall do the same: then tests count what they
// try, instead of going on for as long as they have time.
func Fixed() bool { return seed != 0 }

// Seed is what t draws its cases from. Never 0.
func Seed(t testing.TB) uint64 {
	s := seed
	for s == 0 {
		s = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with TIDEMARK_SEED=%d", s)
		}
	})
	return s
}

// New is a source of randomness with the seed of t.
func New(t testing.TB) *rand.Rand { return rand.New(rand.NewPCG(Seed(t), 1)) }

// Times is how often a test does something: full times, and a tenth of that with
// -short. The race detector makes SQLite, which is Go here, ten times slower, and
// what it looks for does not hide in the hundredth case.
func Times(full int) int {
	if testing.Short() {
		return max(1, full/10)
	}
	return full
}

// seed is 0 where each test rolls its own.
var seed = read(os.Getenv("TIDEMARK_SEED"), os.Getenv("CI"))

func read(named, ci string) uint64 {
	if named != "" {
		n, err := strconv.ParseUint(named, 10, 64)
		if err != nil || n == 0 {
			panic(fmt.Sprintf("TIDEMARK_SEED is %q, and should be a number above 0", named))
		}
		return n
	}
	if ci == "true" {
		return ordinary
	}
	return 0
}

func init() {
	if seed == 0 {
		return
	}
	if err := flag.Set("rapid.seed", strconv.FormatUint(seed, 10)); err != nil {
		panic(err)
	}
}
