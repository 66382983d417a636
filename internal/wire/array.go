package wire

import "github.com/tidemarkdb/tidemark"

// array walks over the elements of an array. Reading behind its end gives zero
// values: that is how what was left out at the end comes back, and how messages
// of older versions are read.
type array struct {
	r    *reader
	some bool // an element was read
	over bool
}

// array begins one.
func (r *reader) array() array {
	return array{r: r, over: !r.eat('[')}
}

// next reports whether there is another element, and goes to it.
func (a *array) next() bool {
	if a.over {
		return false
	}
	if a.r.peek() == ']' {
		a.r.i++
		a.over = true
		return false
	}
	if a.some && !a.r.eat(',') {
		a.over = true
		return false
	}
	a.some = true
	if a.r.peek() == 0 || a.r.err != nil {
		a.r.fail("an array has no end")
		a.over = true
	}
	return !a.over
}

// close passes over what is left: elements that a later version appended.
func (a *array) close() {
	for a.next() {
		a.r.skip(0)
	}
}

func (a *array) str() string {
	if !a.next() {
		return ""
	}
	return a.r.str()
}

func (a *array) int() int64 {
	if !a.next() {
		return 0
	}
	return a.r.int()
}

func (a *array) seq() tidemark.Seq { return tidemark.Seq(a.int()) }

func (a *array) place() int {
	if !a.next() {
		return 0
	}
	return a.r.place()
}

func (a *array) bool() bool { return a.next() && a.r.bool() }

func (a *array) bin(p []byte) {
	if a.next() {
		a.r.bin(p)
	}
}

func (a *array) raw() []byte {
	if !a.next() {
		return nil
	}
	return a.r.raw()
}

func (a *array) values() []tidemark.Value {
	if !a.next() {
		return nil
	}
	return a.r.values()
}

// list calls each for every inner array.
func (a *array) list(each func(in *array)) {
	if !a.next() {
		return
	}
	for l := a.r.array(); l.next(); {
		in := a.r.array()
		each(&in)
		in.close()
	}
}
