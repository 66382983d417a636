package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// The JSON form of a schema. It is part of the protocol: fields are only ever
// added, and what an older build does not know it keeps out of its hands.
type (
	document struct {
		Hash    string           `json:"hash"`
		Tables  []tableDocument  `json:"tables"`
		Objects []objectDocument `json:"objects"`
		Scopes  []string         `json:"scopes,omitempty"`
		Public  []string         `json:"public,omitempty"`

		Declared string `json:"declared,omitempty"`

		Guards []guardDocument `json:"guards,omitempty"`
	}
	guardDocument struct {
		Table int    `json:"table"`
		Name  string `json:"name"`
		SQL   string `json:"sql"`
	}
	objectDocument struct {
		Type  string `json:"type"`
		Name  string `json:"name"`
		Table string `json:"table"`
		SQL   string `json:"sql"`
	}
	tableDocument struct {
		ID           int                 `json:"id"`
		Name         string              `json:"name"`
		SQL          string              `json:"sql"`
		Columns      []columnDocument    `json:"columns"`
		Key          []int               `json:"key"`
		RowidAlias   bool                `json:"rowid_alias,omitempty"`
		WithoutRowid bool                `json:"without_rowid,omitempty"`
		Strict       bool                `json:"strict,omitempty"`
		Autoinc      bool                `json:"autoincrement,omitempty"`
		Uniques      []uniqueDocument    `json:"uniques,omitempty"`
		ForeignKeys  []referenceDocument `json:"foreign_keys,omitempty"`
		Out          string              `json:"out,omitempty"`
		Policy       *policyDocument     `json:"policy,omitempty"`
	}
	// policyDocument has its times in milliseconds.
	policyDocument struct {
		Columns  tidemark.Policy       `json:"columns,omitempty"`
		OnDelete tidemark.RowPolicy    `json:"on_delete,omitempty"`
		OnInsert tidemark.InsertPolicy `json:"on_insert,omitempty"`
		OnUnique string                `json:"on_unique,omitempty"`
		Keep     string                `json:"keep,omitempty"`
		KeepFor  int64                 `json:"keep_for,omitempty"`
		MaxSkew  int64                 `json:"max_skew,omitempty"`
		Lease    int                   `json:"lease,omitempty"`
	}
	columnDocument struct {
		Name      string `json:"name"`
		Type      string `json:"type,omitempty"`
		Affinity  uint8  `json:"affinity"`
		Collation string `json:"collation,omitempty"`
		NotNull   bool   `json:"not_null,omitempty"`
		Default   string `json:"default,omitempty"`

		Policy tidemark.Policy `json:"policy,omitempty"`
		Custom string          `json:"custom,omitempty"`
		Group  string          `json:"group,omitempty"`
	}
	uniqueDocument struct {
		Name    string         `json:"name"`
		Terms   []termDocument `json:"terms"`
		Partial string         `json:"where,omitempty"`
	}
	termDocument struct {
		Column    int    `json:"column"`
		Expr      string `json:"expr,omitempty"`
		Collation string `json:"collation,omitempty"`
	}
	referenceDocument struct {
		Columns  []int    `json:"columns"`
		Parent   string   `json:"parent"`
		To       []string `json:"to"`
		OnUpdate string   `json:"on_update,omitempty"`
		OnDelete string   `json:"on_delete,omitempty"`
		SetNull  bool     `json:"set_null,omitempty"`
		Loose    bool     `json:"loose,omitempty"`
	}
)

// Encode writes a schema as JSON, the form in which it is stored and sent.
func Encode(s *tidemark.Schema) []byte { return mustJSON(toDocument(s)) }

// mustJSON cannot fail: the documents hold only strings, numbers and lists.
func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("schema: " + err.Error())
	}
	return b
}

// HashOf names a schema by its content: 16 hexadecimal digits. The order of
// objects does not count, since VACUUM and copying may change it.
func HashOf(s *tidemark.Schema) string {
	d := toDocument(s)
	d.Hash = ""
	sort.Slice(d.Tables, func(i, j int) bool { return d.Tables[i].ID < d.Tables[j].ID })
	sort.Slice(d.Objects, func(i, j int) bool {
		a, b := d.Objects[i], d.Objects[j]
		return a.Type < b.Type || a.Type == b.Type && a.Name < b.Name
	})
	sum := sha256.Sum256(mustJSON(d))
	return hex.EncodeToString(sum[:8])
}

func toDocument(s *tidemark.Schema) document {
	d := document{Hash: s.Hash, Tables: []tableDocument{}, Objects: []objectDocument{}, Scopes: s.Scopes, Public: s.Public, Declared: s.Declared}
	for _, t := range s.Tables {
		d.Tables = append(d.Tables, tableTo(t))
	}
	for _, o := range s.Objects {
		d.Objects = append(d.Objects, objectDocument(o))
	}
	for _, g := range s.Guards {
		d.Guards = append(d.Guards, guardDocument(g))
	}
	return d
}

func tableTo(t *tidemark.Table) tableDocument {
	d := tableDocument{
		ID: t.ID, Name: t.Name, SQL: t.SQL, Columns: []columnDocument{}, Key: t.Key, RowidAlias: t.RowidAlias,
		WithoutRowid: t.WithoutRowid, Strict: t.Strict, Autoinc: t.Autoinc, Out: t.Out, Policy: policyTo(t.Policy),
	}
	for _, c := range t.Columns {
		d.Columns = append(d.Columns, columnDocument{c.Name, c.Type, uint8(c.Affinity), c.Collation, c.NotNull, c.Default, c.Policy, c.Custom, c.Group})
	}
	for _, u := range t.Uniques {
		ud := uniqueDocument{Name: u.Name, Partial: u.Partial, Terms: []termDocument{}}
		for _, term := range u.Terms {
			ud.Terms = append(ud.Terms, termDocument(term))
		}
		d.Uniques = append(d.Uniques, ud)
	}
	for _, fk := range t.ForeignKeys {
		d.ForeignKeys = append(d.ForeignKeys, referenceDocument(fk))
	}
	return d
}

// Decode reads what Encode wrote; it never panics on bad input.
func Decode(b []byte) (*tidemark.Schema, error) {
	var d document
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, damaged("it is not JSON of the expected form", err)
	}
	s := &tidemark.Schema{Hash: d.Hash, Scopes: d.Scopes, Public: d.Public, Declared: d.Declared}
	ids := map[int]bool{}
	for _, td := range d.Tables {
		t, err := tableFrom(td)
		if err != nil {
			return nil, damaged("table "+td.Name, err)
		}
		if ids[t.ID] {
			return nil, damaged("", fmt.Errorf("two tables have the number %d", t.ID))
		}
		ids[t.ID] = true
		s.Tables = append(s.Tables, t)
	}
	for _, o := range d.Objects {
		s.Objects = append(s.Objects, tidemark.Object(o))
	}
	for _, g := range d.Guards {
		if !strings.HasPrefix(g.Name, "_tm_rule_") || !strings.HasPrefix(g.SQL, "CREATE TRIGGER "+lite.Quote(g.Name)+" ") {
			return nil, damaged("guard "+g.Name, fmt.Errorf("it is no trigger of that name"))
		}
		s.Guards = append(s.Guards, tidemark.Guard(g))
	}
	return s, nil
}

func damaged(msg string, err error) error {
	return &tidemark.Error{Code: tidemark.CodeProtocol, Op: "read schema", Msg: msg, Err: err}
}

func tableFrom(d tableDocument) (*tidemark.Table, error) {
	t := &tidemark.Table{
		ID: d.ID, Name: d.Name, SQL: d.SQL, Key: d.Key, RowidAlias: d.RowidAlias,
		WithoutRowid: d.WithoutRowid, Strict: d.Strict, Autoinc: d.Autoinc, Out: d.Out, Policy: policyFrom(d.Policy),
	}
	for _, c := range d.Columns {
		if c.Affinity > uint8(tidemark.AffinityReal) {
			return nil, fmt.Errorf("column %s has the unknown affinity %d", c.Name, c.Affinity)
		}
		t.Columns = append(t.Columns, tidemark.Column{
			Name: c.Name, Type: c.Type, Affinity: tidemark.Affinity(c.Affinity), Collation: c.Collation,
			NotNull: c.NotNull, Default: c.Default, Policy: c.Policy, Custom: c.Custom, Group: c.Group,
		})
	}
	for _, ud := range d.Uniques {
		u := tidemark.Unique{Name: ud.Name, Partial: ud.Partial}
		for _, term := range ud.Terms {
			u.Terms = append(u.Terms, tidemark.Term(term))
		}
		t.Uniques = append(t.Uniques, u)
	}
	for _, fk := range d.ForeignKeys {
		t.ForeignKeys = append(t.ForeignKeys, tidemark.ForeignKey(fk))
	}
	return t, sound(t)
}

func policyTo(p tidemark.TablePolicy) *policyDocument {
	if p == (tidemark.TablePolicy{}) {
		return nil
	}
	return &policyDocument{p.Columns, p.OnDelete, p.OnInsert, p.OnUnique, p.Keep, p.KeepFor.Milliseconds(), p.MaxSkew.Milliseconds(), p.Lease}
}

func policyFrom(d *policyDocument) tidemark.TablePolicy {
	if d == nil {
		return tidemark.TablePolicy{}
	}
	return tidemark.TablePolicy{
		Columns: d.Columns, OnDelete: d.OnDelete, OnInsert: d.OnInsert, OnUnique: d.OnUnique, Keep: d.Keep, Lease: d.Lease,
		KeepFor: time.Duration(d.KeepFor) * time.Millisecond, MaxSkew: time.Duration(d.MaxSkew) * time.Millisecond,
	}
}

// sound makes sure that no place of the table points outside it, so that
// nobody behind Decode has to look.
func sound(t *tidemark.Table) error {
	n := len(t.Columns)
	if t.ID < 1 || n == 0 || len(t.Key) == 0 {
		return fmt.Errorf("number, columns or key are missing")
	}
	seen := map[int]bool{}
	for _, k := range t.Key {
		if k < 0 || k >= n || seen[k] {
			return fmt.Errorf("key column %d is out of place", k)
		}
		seen[k] = true
	}
	for _, u := range t.Uniques {
		for _, term := range u.Terms {
			if term.Column < -1 || term.Column >= n {
				return fmt.Errorf("index %s names column %d of %d", u.Name, term.Column, n)
			}
		}
	}
	for _, fk := range t.ForeignKeys {
		for _, c := range fk.Columns {
			if c < -1 || c >= n {
				return fmt.Errorf("a foreign key to %s names column %d of %d", fk.Parent, c, n)
			}
		}
		if len(fk.To) == 0 || len(fk.To) != len(fk.Columns) {
			return fmt.Errorf("a foreign key to %s has %d columns on one side and %d on the other", fk.Parent, len(fk.Columns), len(fk.To))
		}
	}
	return nil
}
