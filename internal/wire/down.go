package wire

// Down is a message from the server to a replica.
type Down interface {
	down()
	message
}

// Kinds of messages to a replica, the first element of their array.
const (
	kindWelcome  = "w"
	kindSchema   = "s"
	kindOutcomes = "o"
	kindBatch    = "b"
	kindRanges   = "g"
	kindRows     = "r"
	kindLeases   = "l"
	kindRefusal  = "x"
	kindRenewed  = "t"
	kindPeers    = "n"
	kindHeard    = "m"
	kindDeclined = "d"
	kindScopes   = "k"
)

func (*Welcome) down()  {}
func (*Schema) down()   {}
func (*Outcomes) down() {}
func (*Batch) down()    {}
func (*Ranges) down()   {}
func (*Rows) down()     {}
func (*Leases) down()   {}
func (*Refusal) down()  {}
func (*Renewed) down()  {}
func (*Peers) down()    {}
func (*Heard) down()    {}
func (*Declined) down() {}
func (*Scopes) down()   {}

// newDown makes the empty message of a kind, or nil.
func newDown(kind string) Down {
	switch kind {
	case kindWelcome:
		return new(Welcome)
	case kindSchema:
		return new(Schema)
	case kindOutcomes:
		return new(Outcomes)
	case kindBatch:
		return new(Batch)
	case kindRanges:
		return new(Ranges)
	case kindRows:
		return new(Rows)
	case kindLeases:
		return new(Leases)
	case kindRefusal:
		return new(Refusal)
	case kindRenewed:
		return new(Renewed)
	case kindPeers:
		return new(Peers)
	case kindHeard:
		return new(Heard)
	case kindDeclined:
		return new(Declined)
	case kindScopes:
		return new(Scopes)
	}
	return nil
}

// AppendDown encodes a message to a replica.
func AppendDown(b []byte, m Down) []byte { return encode(b, m) }

// DecodeDown reads a message to a replica.
func DecodeDown(b []byte) (Down, error) { return decode(b, newDown, "to a replica") }
