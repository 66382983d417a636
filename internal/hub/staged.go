package hub

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// formatCursor writes how far a catch-up is, what it is one of, and the term in
// which that was reached, like formatCursor for a space without scopes.
func (r *reach) formatCursor(term string) string {
	p := r.place
	return fmt.Sprintf("%s.%d.%s.%d.%s.%d.%s", term, r.begin, r.plan(), p.Seq, hexOf(p.Scope), p.Table, hexOf(p.KeyID))
}

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }

// plan names the scopes that a catch-up is about.
func (r *reach) plan() string {
	h := fnv.New64a()
	for _, list := range [][]string{r.ready, r.round()} {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(list)))
		_, _ = h.Write(n[:])
		for _, scope := range list {
			binary.BigEndian.PutUint64(n[:], uint64(len(scope)))
			_, _ = h.Write(n[:])
			_, _ = h.Write([]byte(scope))
		}
	}
	return strconv.FormatUint(h.Sum64(), 16)
}

// staged is what a cursor says.
type staged struct {
	term  string
	begin tidemark.Seq
	plan  string
	place tidemark.ScopeCursor
}

func parseStaged(cursor string) (c staged, ok bool) {
	parts := strings.Split(cursor, ".")
	if len(parts) != 7 {
		return c, false
	}
	begin, err1 := strconv.ParseInt(parts[1], 10, 64)
	seq, err2 := strconv.ParseInt(parts[3], 10, 64)
	scope, err3 := hex.DecodeString(parts[4])
	table, err4 := strconv.ParseInt(parts[5], 10, 32)
	key, err5 := hex.DecodeString(parts[6])
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			return c, false
		}
	}
	place := tidemark.ScopeCursor{Seq: tidemark.Seq(seq), Scope: string(scope), Table: int(table), KeyID: string(key)}
	return staged{parts[0], tidemark.Seq(begin), parts[2], place}, begin >= 0 && seq >= -1 && table >= 0
}

// resume goes on behind a cursor. It reports false when what the replica has
// staged is of no use: it is of other scopes, or of a log that went another way.
func (r *reach) resume(h *Hub, v tidemark.View, cursor string) (bool, error) {
	c, ok := parseStaged(cursor)
	if !ok || c.plan != r.plan() {
		return false, nil
	}
	for _, seq := range []tidemark.Seq{c.begin, c.place.Seq} {
		if ok, err := h.passed(v, c.term, seq); !ok || err != nil {
			return false, err
		}
	}
	r.begin, r.place, r.resumed = c.begin, &c.place, true
	return true, nil
}
