package presence

// bucket holds tokens, thousandths of them: so many come a second, and twice as
// many fit in.
type bucket struct {
	spent int64 // 0: full
	at    int64
}

// take spends n. It reports false, and spends nothing, when there are not enough.
func (b *bucket) take(now, n, rate int64) bool {
	b.fill(now, rate)
	if b.spent+1000*n > 2000*rate {
		return false
	}
	b.spent += 1000 * n
	return true
}

// charge spends one in any case, and returns for how long to wait then.
func (b *bucket) charge(now, rate int64) (wait int64) {
	b.fill(now, rate)
	b.spent += 1000
	return max(0, (b.spent-2000*rate+rate-1)/rate)
}

func (b *bucket) fill(now, rate int64) {
	b.spent = max(0, b.spent-(now-b.at)*rate)
	b.at = now
}
