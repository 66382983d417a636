package twin

// Shrink looks for a shorter script that still fails, by leaving out pieces,
// ever smaller ones.
func Shrink(o Options, f *Failure) *Failure {
	for size := len(f.Script.Ops) / 2; size > 0; {
		shorter := false
		for at := 0; at < len(f.Script.Ops); at += size {
			ops := f.Script.Ops
			end := min(at+size, len(ops))
			o.Script = &Script{Setup: f.Script.Setup, Ops: append(append([]Op{}, ops[:at]...), ops[end:]...)}
			if _, again := Run(o); again != nil {
				f, shorter = again, true
				at -= size
			}
		}
		if !shorter {
			size /= 2
		}
	}
	return f
}
