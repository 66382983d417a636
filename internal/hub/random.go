package hub

import (
	"encoding/hex"
	"io"

	"github.com/tidemarkdb/tidemark"
)

// random makes a name that nobody can guess and nobody else makes: 32
// hexadecimal digits.
func (h *Hub) random(what string) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(h.opts.Rand, b[:]); err != nil {
		return "", &tidemark.Error{Code: tidemark.CodeInternal, Op: "hub", Msg: "no randomness for a " + what, Err: err}
	}
	return hex.EncodeToString(b[:]), nil
}
