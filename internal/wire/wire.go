// Package wire is the protocol of spec/protocol.md: messages as JSON arrays by
// position, values exact to the bit. Encoders append to a byte slice; decoders
// read tokens, never panic, and bound everything that they allocate.
//
// AppendUp and DecodeUp are for what a replica tells the server, AppendDown and
// DecodeDown for the way back. AppendChanges makes the body of a changeset,
// which HashOf names. A Session leaves out of a message what both sides know.
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

	"github.com/tidemarkdb/tidemark"
)

// Protocol is the version that this build speaks.
const Protocol = 1

// Subprotocol is the WebSocket subprotocol of this version.
const Subprotocol = "tidemark.1"

// HashOf names a changeset by its content: the first 16 bytes of SHA-256 over
// the salt and the encoded changes.
func HashOf(salt tidemark.Salt, body []byte) tidemark.Hash {
	sum := sha256.New()
	sum.Write(salt[:])
	sum.Write(body)
	return tidemark.Hash(sum.Sum(nil)[:16])
}
