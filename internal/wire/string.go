package wire

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark/internal/literal"
)

// str reads a string.
func (r *reader) str() string {
	if !r.eat('"') {
		return ""
	}
	text, end, err := literal.Read(r.s, r.i)
	r.i = end
	if err != nil {
		r.fail(err.Error())
	}
	return text
}

var strict = base64.RawURLEncoding.Strict()

// base64 reads a string of base64url without padding.
func (r *reader) base64() []byte {
	s := r.str()
	out, err := strict.DecodeString(s)
	if err != nil || strings.ContainsAny(s, "\r\n") {
		r.fail("not base64url without padding")
		return nil
	}
	return out
}

// bin reads bytes of a fixed length; "" stands for zeros.
func (r *reader) bin(p []byte) {
	got := r.base64()
	if len(got) != 0 && len(got) != len(p) {
		r.fail(fmt.Sprintf("expected %d bytes in base64url", len(p)))
		return
	}
	copy(p, got)
}
