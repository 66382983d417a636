package replica

import (
	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
)

// Status is derived from durable rows alone.
type Status struct {
	Space       string            `json:"space"`
	Server      string            `json:"server"`
	Incarnation string            `json:"incarnation"`
	Replica     string            `json:"replica"`
	Principal   string            `json:"principal,omitempty"` // whose copy it is, "" without authentication
	Seq         tidemark.Seq      `json:"seq"`
	Head        tidemark.Seq      `json:"head"` // newest seq that the server told
	Pending     int               `json:"pending"`
	Suspended   int               `json:"suspended"`
	Rejected    int               `json:"rejected"`
	Unsealed    bool              `json:"unsealed"` // writes that are not sealed yet
	Staged      int               `json:"staged"`   // chunks received, not visible yet
	Proven      bool              `json:"proven"`   // sums were equal at the last checkpoint
	Repair      string            `json:"repair,omitempty"`
	Contact     int64             `json:"contact"` // last contact, Unix milliseconds
	ReadOnly    bool              `json:"read_only"`
	Out         map[string]string `json:"out,omitempty"`     // tables that do not sync, with reason
	Stopped     string            `json:"stopped,omitempty"` // code of the refusal that stopped syncing

	Scoped  bool `json:"scoped,omitempty"`  // scopes are declared; Scopes lists them
	Only    bool `json:"only,omitempty"`    // those that are wanted by name and no others
	Filling int  `json:"filling,omitempty"` // scopes that the server listed and that are not whole here yet
	Unasked bool `json:"unasked,omitempty"` // the server has not answered yet what is wanted
}

// Status reads the state.
func (r *Replica) Status() (Status, error) {
	var st Status
	err := r.db.View(func() (err error) {
		if st, err = readStatus(r.db); err != nil {
			return err
		}
		st.Unsealed, err = r.captured()
		return err
	})
	if err != nil {
		return Status{}, failure("status", err)
	}
	st.Scoped = r.server.Scoped()
	for _, t := range r.schema.Tables {
		if t.Out != "" {
			if st.Out == nil {
				st.Out = map[string]string{}
			}
			st.Out[t.Name] = t.Out
		}
	}
	return st, nil
}

func readStatus(db *lite.DB) (Status, error) {
	f, err := allFacts(db)
	if err != nil {
		return Status{}, err
	}
	st := Status{
		Space: f[meta.KeySpace].Str(), Server: f[keyServer].Str(), Incarnation: f[meta.KeyIncarnation].Str(),
		Replica: f[keyReplica].Str(), Principal: f[keyPrincipal].Str(), Seq: tidemark.Seq(f[meta.KeySeq].Int64()), Head: tidemark.Seq(f[keyHead].Int64()),
		Proven: f[keyProven].Int64() != 0, Repair: f[keyRepair].Str(), Contact: f[keyContact].Int64(),
		ReadOnly: f[keyReadOnly].Int64() != 0, Stopped: f[keyStopped].Str(),
		Only: f[keyOnly].Int64() != 0, Unasked: f[keyWants].Int64() != f[keyAnswered].Int64(),
	}
	for _, c := range []struct {
		into *int
		sql  string
	}{
		{&st.Pending, "SELECT count(*) FROM main._tm_pending"},
		{&st.Suspended, "SELECT count(*) FROM main._tm_pending WHERE suspended = 1"},
		{&st.Rejected, "SELECT count(*) FROM main._tm_rejected"},
		{&st.Staged, "SELECT count(*) FROM main._tm_stage WHERE part = 0"},
		{&st.Filling, "SELECT count(*) FROM main._tm_scope WHERE held = 0"},
	} {
		n, err := db.Int(c.sql)
		if err != nil {
			return Status{}, err
		}
		*c.into = int(n)
	}
	return st, nil
}
