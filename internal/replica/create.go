package replica

import (
	"fmt"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/capture"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	structure "github.com/tidemarkdb/tidemark/internal/schema"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// CreateOptions of Create.
type CreateOptions struct {
	Options
	Server   string // address, kept in the file
	ReadOnly bool
	State    tidemark.SpaceState // what the snapshot holds
	Schema   *tidemark.Schema

	Only bool        // of a space with scopes: those of Want and no others
	Want []wire.Want // scopes by priority
}

// Create turns a snapshot file into a replica: bookkeeping, capture triggers,
// journal mode. All but the journal mode is one transaction. It fails with
// tidemark.CodeCorrupt when the rows do not have the sum that the server told.
func Create(path string, o CreateOptions) error {
	db, err := openFile("create", path, o.Options)
	if err != nil {
		return err
	}
	err = create(db, o)
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return failure("create", err)
	}
	return nil
}

func create(db *lite.DB, o CreateOptions) error {
	role, err := meta.Adopted(db)
	if err != nil {
		return err
	}
	if role != "" {
		return &tidemark.Error{Code: tidemark.CodeExists, Msg: db.Path() + " belongs to Tidemark already",
			Hint: "take it off with `tidemark detach` first"}
	}
	before, err := setJournal(db, o.Journal)
	if err != nil {
		return err
	}
	if err := prepareConnection(db); err != nil {
		return err
	}
	return db.Transaction(func() error { return o.adopt(db, before) })
}

// setJournal switches the journal mode and returns the one before. A file
// system that has no WAL keeps what it has.
func setJournal(db *lite.DB, mode string) (before string, err error) {
	if before, err = db.Text("PRAGMA main.journal_mode"); err != nil {
		return "", err
	}
	if mode == "" {
		mode = "wal"
	}
	if strings.ContainsFunc(mode, func(r rune) bool { return (r|0x20) < 'a' || (r|0x20) > 'z' }) {
		return "", fmt.Errorf("journal mode %q", mode)
	}
	_, err = db.Text("PRAGMA main.journal_mode = " + mode)
	return before, err
}

func (o *CreateOptions) adopt(db *lite.DB, journal string) error {
	if err := meta.Create(db, meta.RoleReplica); err != nil {
		return err
	}
	if err := db.Script(bookkeeping); err != nil {
		return err
	}
	for _, t := range o.Schema.Tables {
		err := db.Run("INSERT OR REPLACE INTO main._tm_table (t, name) VALUES (?1, ?2)", tidemark.Int(int64(t.ID)), tidemark.Text(t.Name))
		if err != nil {
			return err
		}
	}
	sum, err := o.sum(db)
	if err != nil {
		return err
	}
	if err := capture.Install(db, capture.Main, o.Schema, o.ReadOnly); err != nil {
		return err
	}
	if err := store(db, o.facts(journal, sum)...); err != nil {
		return err
	}
	if err := o.subscribe(db); err != nil {
		return err
	}
	return markStructure(db)
}

// subscribe keeps what the replica is going to ask for.
func (o *CreateOptions) subscribe(db *lite.DB) error {
	if !o.Schema.Scoped() {
		if o.Only || len(o.Want) > 0 {
			return &tidemark.Error{Code: tidemark.CodeUsage, Msg: "this space has no scopes: every copy holds all of it",
				Hint: "clone it without naming scopes"}
		}
		return nil
	}
	if err := saveWants(db, o.Only, o.Want); err != nil {
		return err
	}
	return store(db, number(keyWants, 1))
}

// sum proves that the rows are those that the server sent.
func (o *CreateOptions) sum(db *lite.DB) (uint64, error) {
	tl := &tally{db: db, schema: o.Schema, hasher: digest.New(o.State.DigestKey)}
	if err := tl.load(); err != nil {
		return 0, err
	}
	if got := tl.total(); got != o.State.Sum {
		return 0, &tidemark.Error{Code: tidemark.CodeCorrupt,
			Msg:  fmt.Sprintf("the snapshot's rows sum up to %016x, the server said %016x", got, o.State.Sum),
			Hint: "remove the downloaded file and clone again"}
	}
	if o.Schema.Scoped() { // there are no rows yet; sums are kept by scope
		return 0, nil
	}
	return o.State.Sum, tl.save()
}

func (o *CreateOptions) facts(journal string, sum uint64) []fact {
	st := o.State
	return []fact{
		text(meta.KeySpace, st.Space), text(meta.KeyIncarnation, st.Incarnation), text(meta.KeyTerm, st.Term),
		text(meta.KeySchema, o.Schema.Hash), {meta.KeySchemaBody, tidemark.Blob(structure.Encode(o.Schema))},
		{meta.KeyDigestKey, tidemark.Blob(st.DigestKey[:])}, text(meta.KeyJournalMode, journal),
		number(meta.KeySeq, int64(st.Head)), number(meta.KeySum, int64(sum)), number(keyHead, int64(st.Head)),
		text(keyServer, o.Server), text(keyReplica, ""), text(keyTicket, ""), number(keyNext, 1),
		flag(keyProven, true), flag(keyReadOnly, o.ReadOnly),
	}
}

// markStructure remembers the structure that capture was made for.
func markStructure(db *lite.DB) error {
	version, err := db.Int("PRAGMA main.schema_version")
	if err != nil {
		return err
	}
	return meta.SetInt(db, meta.KeyDDLVersion, version)
}
