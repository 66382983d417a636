package twin

import (
	"crypto/sha256"
	"fmt"
)

// stream is a source of random bytes that any language can make of the same
// name: the SHA-256 sums of the name and a counter, one behind the other.
type stream struct {
	name  string
	block int
	left  []byte
}

func newStream(seed uint64, part string) *stream {
	return &stream{name: fmt.Sprintf("%d/%s", seed, part)}
}

func (s *stream) Read(p []byte) (int, error) {
	for i := range p {
		if len(s.left) == 0 {
			sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", s.name, s.block))
			s.block++
			s.left = sum[:]
		}
		p[i], s.left = s.left[0], s.left[1:]
	}
	return len(p), nil
}
