package wire

// maxDepth bounds the nesting of what is skipped or passed on unread.
const maxDepth = 64

// raw passes over one value, checking its grammar, and returns its bytes; nil for null.
func (r *reader) raw() []byte {
	c := r.peek()
	start := r.i
	r.skip(0)
	if r.err != nil || c == 'n' {
		return nil
	}
	return r.b[start:r.i:r.i]
}

// skip passes over one value.
func (r *reader) skip(depth int) {
	if depth > maxDepth {
		r.fail("nested too deeply")
		return
	}
	switch r.peek() {
	case '[':
		for a := r.array(); a.next(); {
			r.skip(depth + 1)
		}
	case '{':
		r.skipObject(depth)
	case '"':
		r.str()
	case 't', 'f':
		r.bool()
	case 'n':
		r.literal("null")
	default:
		r.number()
	}
}

func (r *reader) skipObject(depth int) {
	r.eat('{')
	if r.peek() == '}' {
		r.i++
		return
	}
	for r.err == nil {
		r.str()
		r.eat(':')
		r.skip(depth + 1)
		if r.peek() == '}' {
			r.i++
			return
		}
		r.eat(',')
	}
}
