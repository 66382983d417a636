package wire

import "strconv"

// Up is a message from a replica to the server.
type Up interface {
	up()
	write(*writer)
	read(*array)
}

// Kinds of messages to the server, the first element of their array.
const (
	kindHello     = "h"
	kindPush      = "p"
	kindAck       = "a"
	kindAskRanges = "g"
	kindAskRows   = "r"
	kindToken     = "t"
	kindPresence  = "n"
	kindCast      = "m"
	kindSubscribe = "s"
)

func (*Hello) up()     {}
func (*Push) up()      {}
func (*Ack) up()       {}
func (*AskRanges) up() {}
func (*AskRows) up()   {}
func (*Token) up()     {}
func (*Presence) up()  {}
func (*Cast) up()      {}
func (*Subscribe) up() {}

// newUp makes the empty message of a kind, or nil.
func newUp(kind string) Up {
	switch kind {
	case kindHello:
		return new(Hello)
	case kindPush:
		return new(Push)
	case kindAck:
		return new(Ack)
	case kindAskRanges:
		return new(AskRanges)
	case kindAskRows:
		return new(AskRows)
	case kindToken:
		return new(Token)
	case kindPresence:
		return new(Presence)
	case kindCast:
		return new(Cast)
	case kindSubscribe:
		return new(Subscribe)
	}
	return nil
}

// AppendUp encodes a message to the server.
func AppendUp(b []byte, m Up) []byte {
	w := writer{b: b}
	m.write(&w)
	return w.end()
}

// DecodeUp reads a message to the server.
func DecodeUp(b []byte) (Up, error) {
	r := newReader(b)
	a := r.array()
	kind := a.str()
	m := newUp(kind)
	if m == nil {
		r.fail("no such message to the server: " + strconv.Quote(short(kind)))
		return nil, r.finish()
	}
	m.read(&a)
	a.close()
	if err := r.finish(); err != nil {
		return nil, err
	}
	return m, nil
}
