package wire

// Up is a message from a replica to the server.
type Up interface {
	up()
	message
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
func AppendUp(b []byte, m Up) []byte { return encode(b, m) }

// DecodeUp reads a message to the server.
func DecodeUp(b []byte) (Up, error) { return decode(b, newUp, "to the server") }
