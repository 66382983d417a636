package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/store/sqlite"
)

// servedStatus is what status prints of a served file with --json.
type servedStatus struct {
	Path        string            `json:"path"`
	Role        string            `json:"role"`
	Space       string            `json:"space"`
	Incarnation string            `json:"incarnation"`
	Head        tidemark.Seq      `json:"head"`
	Unsequenced bool              `json:"unsequenced"` // other programs wrote since the server looked last
	Tables      int               `json:"tables"`      // that sync
	Out         map[string]string `json:"out,omitempty"`
	Scopes      []string          `json:"scopes,omitempty"` // kinds that are declared
	Rejected    int               `json:"rejected"`
	Conflicts   int               `json:"conflicts"` // open
	Replicas    []knownReplica    `json:"replicas"`
}

type knownReplica struct {
	ID      string       `json:"id"`
	Seq     tidemark.Seq `json:"seq"`
	Contact int64        `json:"contact"`
	Agent   string       `json:"agent,omitempty"`
}

// serverStatus shows where a served file stands.
func serverStatus(s *shell, path string) error {
	r, err := sqlite.Read(path)
	if err != nil {
		return err
	}
	st, err := statusOfServed(path, r)
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	if st.Conflicts, err = openCount(s.ctx, path); err != nil {
		return err
	}
	printServedStatus(s, st)
	return s.document(st)
}

func statusOfServed(path string, r *sqlite.Reader) (servedStatus, error) {
	st := servedStatus{Path: path, Role: meta.RoleServer, Space: r.Space, Incarnation: r.Incarnation,
		Head: r.Head, Scopes: r.Schema.Scopes, Unsequenced: r.Unsequenced, Replicas: []knownReplica{}, Out: map[string]string{}}
	for _, t := range r.Schema.Tables {
		if t.Out == "" {
			st.Tables++
		} else {
			st.Out[t.Name] = t.Out
		}
	}
	rejected, err := sqlite.Rejected(path)
	if err != nil {
		return st, err
	}
	st.Rejected = len(rejected)
	known, err := r.Replicas()
	for _, k := range known {
		st.Replicas = append(st.Replicas, knownReplica{k.ID, k.Seq, k.Contact, k.Agent})
	}
	return st, err
}

func printServedStatus(s *shell, st servedStatus) {
	s.printf("%s is the server's file of space %s\n\n", st.Path, st.Space)
	head := "seq " + grouped(int64(st.Head))
	if st.Unsequenced {
		head += ", and fresh writes of other programs"
	}
	rows := [][]string{
		{"head", head},
		{"tables", grouped(int64(st.Tables)) + " syncing"},
		{"rejected", grouped(int64(st.Rejected))},
		{"conflicts", grouped(int64(st.Conflicts)) + " open"},
	}
	if len(st.Scopes) > 0 {
		rows = append(rows, []string{"scopes", strings.Join(st.Scopes, ", ")})
	}
	for _, name := range sortedKeys(st.Out) {
		rows = append(rows, []string{"not syncing", name + ": " + st.Out[name]})
	}
	now := time.Now().UnixMilli()
	for _, r := range st.Replicas {
		rows = append(rows, []string{"copy", shortID(r.ID) + " came " + ago(r.Contact, now) + " with seq " + grouped(int64(r.Seq))})
	}
	if len(st.Replicas) == 0 {
		rows = append(rows, []string{"copies", "none yet"})
	}
	s.table(rows)
	switch {
	case st.Rejected > 0:
		s.printf("\nnext: tidemark rejected %s\n", quoteArg(st.Path))
	case st.Conflicts > 0:
		s.printf("\nnext: tidemark conflicts %s --open\n", quoteArg(st.Path))
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
