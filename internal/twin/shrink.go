package twin

// Shrink looks for a shorter script that still fails, by leaving out pieces,
// ever smaller ones.
func Shrink(o Options, f *Failure) *Failure {
	for size := len(f.Script) / 2; size > 0; {
		shorter := false
		for at := 1; at < len(f.Script); at += size {
			end := min(at+size, len(f.Script))
			o.Script = append(append([]Op{}, f.Script[:at]...), f.Script[end:]...)
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
