package splice

// Compose returns the patch that does what a and then b do. What it deletes is
// known where a and b know it.
func Compose(a, b Patch) Patch {
	switch {
	case len(a)+len(b) == 0:
		return nil
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	var out builder
	first, second := walk(a), walk(b)
	for !first.over() || !second.over() {
		switch {
		case first.kind == remove:
			out.remove(first.all())
		case second.kind == insert:
			out.insert(second.all().text)
		default:
			n := min(first.n, second.n)
			compose(&out, first.take(n), second.take(n))
		}
	}
	return out.patch()
}

// compose passes on what the first patch kept or inserted and the second keeps or deletes.
func compose(out *builder, first, second part) {
	switch {
	case first.kind == insert && second.kind == retain:
		out.insert(first.text)
	case first.kind == retain && second.kind == remove:
		out.remove(second)
	case first.kind == retain:
		out.retain(first.n)
	}
}

// ComposeAll composes patches that follow one another. It takes them in pairs,
// so that many small ones do not cost as much as their square.
func ComposeAll(ps []Patch) Patch {
	switch len(ps) {
	case 0:
		return nil
	case 1:
		return ps[0]
	}
	half := len(ps) / 2
	return Compose(ComposeAll(ps[:half]), ComposeAll(ps[half:]))
}

// Transform carries two patches of one text over each other: t.a.b' = t.b.a'.
// aFirst says whose insertion stands first where both insert at one place.
func Transform(a, b Patch, aFirst bool) (a1, b1 Patch) {
	if len(a) == 0 || len(b) == 0 {
		return a, b
	}
	var outA, outB builder
	ca, cb := walk(a), walk(b)
	for !ca.over() || !cb.over() {
		switch {
		case ca.kind == insert && (aFirst || cb.kind != insert):
			outB.retain(ca.n)
			outA.insert(ca.all().text)
		case cb.kind == insert:
			outA.retain(cb.n)
			outB.insert(cb.all().text)
		default:
			n := min(ca.n, cb.n)
			transform(&outA, &outB, ca.take(n), cb.take(n))
		}
	}
	return outA.patch(), outB.patch()
}

// transform passes on what becomes of the same text in two patches.
func transform(outA, outB *builder, a, b part) {
	switch {
	case a.kind == remove && b.kind == remove: // gone already
	case a.kind == remove:
		outA.remove(a)
	case b.kind == remove:
		outB.remove(b)
	default:
		outA.retain(a.n)
		outB.retain(a.n)
	}
}
