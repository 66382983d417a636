// Package planted is a list of deliberate faults. Each names a mistake that a
// sync engine could make; the engines ask Is at the place where the mistake
// would be. A normal build has no faults: Is is the constant false there and
// the compiler removes the question. A build with the tag planted has the one
// that Plant chose, and the simulator must catch it. This measures the tests.
package planted

// Fault names a deliberate mistake.
type Fault string

// The faults.
const (
	AckBeforeCommit    Fault = "acknowledge before commit"
	ForgetOutcome      Fault = "keep no outcome of what was accepted"
	DedupOff           Fault = "apply a replayed changeset again"
	IgnoreGap          Fault = "take a changeset out of order"
	DropRetryTimer     Fault = "set no timer for the next attempt"
	CheckpointFirst    Fault = "move the checkpoint without the data"
	SkipTombstone      Fault = "leave deletes out of catch-up"
	ForgetBase         Fault = "forget the confirmed image on the second rebase"
	WrongSide          Fault = "undo with the new values instead of the old"
	ForgetHints        Fault = "miss the row that REPLACE evicts"
	SettleAnyHash      Fault = "settle without comparing the hash"
	SkipForeignKeys    Fault = "skip the deferred foreign keys"
	NoCascades         Fault = "leave cascades out of the effects"
	LoseOwnMark        Fault = "seal own transactions together with their neighbours"
	ApplyUnsealed      Fault = "apply without sealing first"
	SumIgnoresDeletes  Fault = "keep deleted rows in the digest"
	OutcomeEarly       Fault = "settle an outcome before its seq"
	KeepRejected       Fault = "leave a rejected changeset's effect in the tables"
	DropRejected       Fault = "keep no record of a rejected changeset"
	HalfChangeset      Fault = "drop the last change of a changeset"
	StaleBatch         Fault = "apply a batch that does not begin at the checkpoint"
	SkipFirstStaged    Fault = "forget the first staged chunk"
	ReuseNumber        Fault = "number the next changeset like the last"
	IgnoreTicket       Fault = "take a copied file for the original"
	IgnoreTerm         Fault = "take a restored server for the same"
	PushOnceOnly       Fault = "never send a changeset a second time"
	DropRejectedBehind Fault = "lose what stands behind a rejected changeset"
	SeeNothing         Fault = "take no edit for concurrent"
	ForgetLosers       Fault = "record nothing of what a merge throws away"
	PlainCounters      Fault = "seal numbers that add up as plain values"
	PlaceText          Fault = "put an edit of a text where its author had it"
	ForgetNumbers      Fault = "forget what rows were renumbered"
	KeepNumbers        Fault = "show renumbered rows under their old ids while they are pending"
	WrongRow           Fault = "judge an update by the row as it was in the place of the new one"
	JudgeAfter         Fault = "judge an insert when it is already there"
	JudgeNamed         Fault = "judge what foreign keys did where a copy names it"
	ForgetAsDelete     Fault = "call a row deleted that only left a scope"
	MissDependants     Fault = "leave behind what belongs to a row that moves to another scope"
	StaleGrant         Fault = "go by grants that are over"
	LostPart           Fault = "send the part of a scope that was just lost"
	SumKeepsLeft       Fault = "keep rows that left a scope in its sum"
	KeepLost           Fault = "keep the rows of a scope that was lost"
	KeepBytes          Fault = "leave what was lost in the bytes of the file"
	WriteUnseen        Fault = "let somebody change what he may not see"
	AnyHands           Fault = "take whoever holds a copy for its owner"
	WipeAnyway         Fault = "log out while something is nowhere else"
	WipeFileFirst      Fault = "wipe a copy before what lies beside it"
	ForgetAmended      Fault = "write what a hook amended as it was proposed"
	StaleVerdict       Fault = "take what a hook said of rows that are others now"
)

// All lists the faults.
var All = []Fault{
	AckBeforeCommit, ForgetOutcome, DedupOff, IgnoreGap, DropRetryTimer,
	CheckpointFirst, SkipTombstone, ForgetBase, WrongSide, ForgetHints,
	SettleAnyHash, SkipForeignKeys, NoCascades, LoseOwnMark, ApplyUnsealed,
	SumIgnoresDeletes, OutcomeEarly, KeepRejected, DropRejected, HalfChangeset,
	StaleBatch, SkipFirstStaged, ReuseNumber, IgnoreTicket, IgnoreTerm,
	PushOnceOnly, DropRejectedBehind, SeeNothing, ForgetLosers, PlainCounters,
	PlaceText, ForgetNumbers, KeepNumbers, WrongRow, JudgeAfter, JudgeNamed,
	ForgetAsDelete, MissDependants, StaleGrant, LostPart, SumKeepsLeft,
	KeepLost, KeepBytes, WriteUnseen, AnyHands, WipeAnyway, WipeFileFirst, ForgetAmended,
	StaleVerdict,
}
