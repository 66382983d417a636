package replica

import "github.com/tidemarkdb/tidemark/internal/wire"

// kind is what the table distinguishes in events.
type kind uint8

const (
	kStart kind = iota
	kConnected
	kWelcome
	kSchema
	kOutcomes
	kBatch
	kRanges
	kRows
	kLeases
	kScopes
	kRefusal
	kGarbage // a message that cannot be read, or that nobody knows
	kDisconnected
	kLocal
	kTick
	kRewant
	kVerify
	kHangup

	kinds = int(kHangup) + 1
)

// action carries one cell of the table out. An error is one of the local file.
type action func(l *Loop, now int64, ev Event) error

// table is the whole sync loop: what every event means in every state. The
// columns are the states in their order: Offline, Dialing, Greeting,
// CatchingUp, Pushing, Idle, Verifying, Backoff, AuthNeeded, Stopped.
//
// The four states with a live session differ in what they wait for, not in
// what they take: confirmed changes come while local ones are pending, and a
// session that only verifies still follows the server.
var table [kinds][states]action

func init() {
	// Assigned here because actions reach the table again through Step's callers.
	table = [kinds][states]action{
		kStart:        {dial, skip, skip, skip, skip, skip, skip, dial, dial, dial},
		kConnected:    {drop, greet, skip, skip, skip, skip, skip, drop, drop, drop},
		kWelcome:      {skip, skip, welcome, renew, renew, renew, renew, skip, skip, skip},
		kSchema:       {skip, skip, skip, schema, schema, schema, schema, skip, skip, skip},
		kOutcomes:     {skip, skip, skip, outcomes, outcomes, outcomes, outcomes, skip, skip, skip},
		kBatch:        {skip, skip, skip, batch, batch, batch, batch, skip, skip, skip},
		kRanges:       {skip, skip, skip, skip, skip, skip, ranges, skip, skip, skip},
		kRows:         {skip, skip, skip, skip, skip, skip, rows, skip, skip, skip},
		kLeases:       {skip, skip, early, blocks, blocks, blocks, blocks, skip, skip, skip},
		kScopes:       {skip, skip, skip, scopes, scopes, scopes, scopes, skip, skip, skip},
		kRefusal:      {skip, skip, refused, refused, refused, refused, refused, skip, skip, skip},
		kGarbage:      {skip, garbage, garbage, garbage, garbage, garbage, garbage, skip, skip, skip},
		kDisconnected: {skip, lost, lost, lost, lost, lost, lost, skip, skip, skip},
		kLocal:        {seal, seal, seal, local, local, local, local, seal, seal, seal},
		kTick:         {skip, silence, silence, silence, silence, probe, silence, dial, skip, skip},
		kRewant:       {skip, skip, skip, resubscribe, resubscribe, resubscribe, resubscribe, skip, skip, skip},
		kVerify:       {later, later, later, verify, verify, verify, verify, later, later, later},
		kHangup:       {skip, hangup, hangup, hangup, hangup, hangup, hangup, hangup, hangup, hangup},
	}
}

func kindOf(ev Event) kind {
	switch ev := ev.(type) {
	case Start:
		return kStart
	case Connected:
		return kConnected
	case Received:
		return kindOfMessage(ev.Msg)
	case Disconnected:
		return kDisconnected
	case Local:
		return kLocal
	case Tick:
		return kTick
	case Rewant:
		return kRewant
	case Verify:
		return kVerify
	case Hangup:
		return kHangup
	}
	panic("replica: an event of a type that is none")
}

func kindOfMessage(m wire.Down) kind {
	switch m.(type) {
	case *wire.Welcome:
		return kWelcome
	case *wire.Schema:
		return kSchema
	case *wire.Outcomes:
		return kOutcomes
	case *wire.Batch:
		return kBatch
	case *wire.Ranges:
		return kRanges
	case *wire.Rows:
		return kRows
	case *wire.Leases:
		return kLeases
	case *wire.Scopes:
		return kScopes
	case *wire.Refusal:
		return kRefusal
	}
	return kGarbage
}
