package wire

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/tidemarkdb/tidemark"
)

// Headers of the answer to a request for a snapshot.
const (
	HeaderState = "Tidemark-State" // the SpaceState that the snapshot holds, see FormatState
	HeaderRows  = "Tidemark-Rows"  // rows in it
	HeaderBytes = "Tidemark-Bytes" // bytes of the file once decompressed
)

// stateText is a SpaceState as JSON. The sum is text: it goes beyond 2^53.
type stateText struct {
	Space       string       `json:"space"`
	Incarnation string       `json:"incarnation"`
	Term        string       `json:"term"`
	Head        tidemark.Seq `json:"head"`
	Sum         string       `json:"sum"`
	Schema      string       `json:"schema"`
	DigestKey   string       `json:"digest_key"`
}

// FormatState writes a state as one line of ASCII, for HeaderState.
func FormatState(st tidemark.SpaceState) string {
	b, err := json.Marshal(stateText{
		Space: st.Space, Incarnation: st.Incarnation, Term: st.Term, Head: st.Head,
		Sum: strconv.FormatUint(st.Sum, 10), Schema: st.SchemaHash, DigestKey: hex.EncodeToString(st.DigestKey[:]),
	})
	if err != nil {
		panic(err) // strings and integers always marshal
	}
	return asciiJSON(string(b))
}

// asciiJSON escapes what a header may not hold: the name of a space can have any letters.
func asciiJSON(s string) string {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
			continue
		}
		for _, u := range utf16.AppendRune(nil, r) {
			out = fmt.Appendf(out, `\u%04x`, u)
		}
	}
	return string(out)
}

// ParseState reads what FormatState wrote.
func ParseState(s string) (tidemark.SpaceState, error) {
	var t stateText
	if err := json.Unmarshal([]byte(s), &t); err != nil {
		return tidemark.SpaceState{}, fmt.Errorf("wire: a state that cannot be read: %w", err)
	}
	st := tidemark.SpaceState{
		Space: t.Space, Incarnation: t.Incarnation, Term: t.Term, Head: t.Head, SchemaHash: t.Schema,
	}
	sum, err := strconv.ParseUint(t.Sum, 10, 64)
	if err != nil {
		return st, fmt.Errorf("wire: a sum that cannot be read: %w", err)
	}
	key, err := hex.DecodeString(t.DigestKey)
	if err != nil || len(key) != len(st.DigestKey) {
		return st, fmt.Errorf("wire: a digest key that cannot be read")
	}
	st.Sum = sum
	copy(st.DigestKey[:], key)
	return st, nil
}
