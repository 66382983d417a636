// Package wire is the protocol of spec/protocol.md: messages as JSON arrays by
// position, values exact to the bit. Encoders append to a byte slice; decoders
// read tokens, never panic, and bound everything that they allocate.
//
// AppendUp and DecodeUp are for what a replica tells the server, AppendDown and
// DecodeDown for the way back. AppendChanges makes the body of a changeset,
// which HashOf names. A Shorthand leaves out of a message what both sides know.
//
// Caveats. A decoded message may share memory with the bytes that it came from
// (Push.Body, Batch.Raw, Schema.Body), so do not change these afterwards.
// Values share memory with one copy of the message: keep them for long and the
// copy stays. A body that is handed in encoded (Push.Body, Batch.Raw,
// Schema.Body) must be one JSON value without line breaks; it is not checked.
//
// Promise. An array may get more elements at its end in a later version and
// decoders skip what they do not know; elements at the end that have their zero
// value are left out. What a version 1 decoder reads never changes its meaning.
package wire

import (
	"crypto/sha256"
	"strconv"

	"github.com/tidemarkdb/tidemark"
)

// Protocol is the version that this build speaks.
const Protocol = 1

// Subprotocol is the WebSocket subprotocol of this version.
const Subprotocol = "tidemark.1"

// message is what both ways have in common.
type message interface {
	write(*writer)
	read(*array)
}

func encode(b []byte, m message) []byte {
	w := writer{b: b}
	m.write(&w)
	return w.end()
}

// decode reads a message of one way; empty makes it by its kind, or is nil.
func decode[M message](b []byte, empty func(kind string) M, to string) (none M, err error) {
	r := newReader(b)
	a := r.array()
	kind := a.str()
	m := empty(kind)
	if any(m) == nil {
		r.fail("no such message " + to + ": " + strconv.Quote(short(kind)))
		return none, r.finish()
	}
	m.read(&a)
	a.close()
	if err := r.finish(); err != nil {
		return none, err
	}
	return m, nil
}

// HashOf names a changeset by its content: the first 16 bytes of SHA-256 over
// the salt and the encoded changes.
func HashOf(salt tidemark.Salt, body []byte) tidemark.Hash {
	sum := sha256.New()
	sum.Write(salt[:])
	sum.Write(body)
	return tidemark.Hash(sum.Sum(nil)[:16])
}
