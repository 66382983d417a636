package scope

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/rules"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// Check returns the part of a declaration that fits a schema, also to SQLite, and
// what does not. A member that does not fit is left out, a grant becomes
// tidemark.GrantNone; a kind stays in any case.
func Check(s *tidemark.Schema, d *tidemark.Scopes) (*tidemark.Scopes, []Misfit, error) {
	_, misfits := Fit(s, d)
	if d == nil || len(d.List) == 0 {
		return nil, nil, nil
	}
	db, err := rules.Scratch(s)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = db.Close() }()
	for i := range d.List {
		k := &d.List[i]
		if m := checkGrant(db, s, k); m != nil {
			misfits = append(misfits, *m)
		}
		for j := range k.Members {
			t := s.Named(k.Members[j].Table)
			if t == nil || t.Out != "" || k.Members[j].Where == "" {
				continue
			}
			if m := checkWhere(db, t, k.Members[j].Where); m != nil {
				m.Kind, m.Table = k.Name, k.Members[j].Table
				misfits = append(misfits, *m)
			}
		}
	}
	return without(d, misfits), misfits, nil
}

// without leaves out what does not fit.
func without(d *tidemark.Scopes, misfits []Misfit) *tidemark.Scopes {
	out := &tidemark.Scopes{}
	for _, k := range d.List {
		k.Members = slices.DeleteFunc(slices.Clone(k.Members), func(m tidemark.Member) bool {
			return slices.ContainsFunc(misfits, func(x Misfit) bool { return x.Kind == k.Name && x.Table == m.Table && x.What != OnGrant })
		})
		if slices.ContainsFunc(misfits, func(x Misfit) bool { return x.Kind == k.Name && x.What == OnGrant }) {
			k.Grant = tidemark.GrantNone
		}
		out.List = append(out.List, k)
	}
	return out
}

func checkGrant(db *lite.DB, s *tidemark.Schema, k *tidemark.Scope) *Misfit {
	if k.Grant == tidemark.GrantNone || k.Grant == tidemark.GrantPublic {
		return nil
	}
	_, err := NewGrant(db, s, &Kind{Name: k.Name, Keyed: k.Keyed, Grant: k.Grant})
	if err == nil {
		return nil
	}
	m := &Misfit{Kind: k.Name, What: OnGrant, Err: plain(err), Hint: "write a query for the keys of the scopes that :user may read, such as SELECT project FROM guest WHERE person = :user"}
	if strings.Contains(err.Error(), "does not sync") {
		m.Hint = "ask a table that syncs, or :claims"
	}
	return m
}

// plain cuts the driver's prefixes off a message.
func plain(err error) error {
	msg, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(strings.TrimPrefix(strings.TrimPrefix(msg, "sqlite3: "), "SQL logic error: "))
}

// safe are the functions that a condition may call: they say the same each time
// and fail for no value. A condition that fails on a row would not say where
// the row belongs.
var safe = map[string]bool{
	"coalesce": true, "ifnull": true, "nullif": true, "iif": true, "if": true, "typeof": true, "length": true, "octet_length": true,
	"lower": true, "upper": true, "trim": true, "ltrim": true, "rtrim": true, "substr": true, "substring": true, "instr": true,
	"hex": true, "unicode": true, "min": true, "max": true, "sign": true, "round": true, "like": true, "glob": true,
	"likely": true, "unlikely": true, "likelihood": true, "json_valid": true,
}

// checkWhere makes sure that a condition asks nothing but the row's own columns.
func checkWhere(db *lite.DB, t *tidemark.Table, where string) *Misfit {
	bad := func(hint, format string, args ...any) *Misfit {
		return &Misfit{What: OnWhere, Err: fmt.Errorf(format, args...), Hint: hint}
	}
	if err := rules.Closed(where); err != nil {
		return bad("write a condition such as private = 0, or take where out", "%v", err)
	}
	own, err := columnNames(db, t)
	if err != nil {
		return bad("tidemark check FILE says what is wrong with the table", "%w", plain(err))
	}
	if m := checkWords(where, t, own); m != nil {
		return m
	}
	var refused *Misfit
	queries := 0
	err = db.CompileWithin("SELECT 1 FROM main."+lite.Quote(t.Name)+" WHERE ("+where+"\n)", func(w lite.Want) bool {
		switch {
		case w.Kind == lite.WantSelect && queries == 0:
			queries++
			return true
		case w.Kind == lite.WantFunction && safe[strings.ToLower(w.Function)]:
			return true
		case w.Kind == lite.WantFunction:
			refused = bad("keep what it computes in a column, and ask for that", "a condition must not call %s: it may fail, or say another thing another time", w.Function)
		case w.Kind == lite.WantRead && schema.Fold(w.Table) == schema.Fold(t.Name) && (w.Column == "" || slices.Contains(own, schema.Fold(w.Column))):
			return true
		default:
			refused = asksMore(t)
		}
		return false
	})
	switch {
	case err == nil:
		return nil
	case refused != nil:
		return refused
	}
	msg := plain(err)
	if name, ok := strings.CutPrefix(msg.Error(), "no such column: "); ok {
		return unknown(t, name)
	}
	return bad(onlyColumns(t), "%v", msg)
}

// checkWords looks for what compiles and means something else than it seems to,
// and for sub-queries: SQLite does not ask for leave for all of them.
func checkWords(where string, t *tidemark.Table, own []string) *Misfit {
	toks := schema.Lex(where)
	for i, x := range toks {
		word := strings.ToUpper(x.Text)
		switch {
		case x.Kind == schema.LexSign && strings.ContainsAny(x.Text, "?:@"), x.Kind == schema.LexWord && x.Text[0] == '$':
			return &Misfit{
				What: OnWhere, Err: fmt.Errorf("a condition has no parameters: who asks does not change where a row belongs"),
				Hint: "the grant says who may read a scope; it has :user and :claims",
			}
		case x.Kind == schema.LexWord && (word == "SELECT" || word == "VALUES" || word == "IN" && i+1 < len(toks) && toks[i+1].Text != "("):
			return asksMore(t)
		case x.Kind == schema.LexQuoted && x.Text[0] == '"' && !slices.Contains(own, schema.Fold(x.Name)) && schema.Fold(x.Name) != schema.Fold(t.Name):
			return unknown(t, x.Name)
		}
	}
	return nil
}

func asksMore(t *tidemark.Table) *Misfit {
	return &Misfit{
		What: OnWhere, Err: fmt.Errorf("the condition asks more than the columns of %s", t.Name),
		Hint: onlyColumns(t),
	}
}

func onlyColumns(t *tidemark.Table) string {
	return "a condition is an expression on the columns of " + t.Name + " alone; what depends on other rows is said by a path"
}

func unknown(t *tidemark.Table, name string) *Misfit {
	m := &Misfit{What: OnWhere, Err: fmt.Errorf("table %s has no column %s", t.Name, name), Word: name, Of: "its columns are"}
	for _, c := range t.Columns {
		m.Known = append(m.Known, c.Name)
	}
	return m
}

// columnNames lists the columns of a table, the generated ones too.
func columnNames(db *lite.DB, t *tidemark.Table) (names []string, err error) {
	err = db.Each("SELECT name FROM pragma_table_xinfo(?1, 'main')", func(s *lite.Stmt) error {
		names = append(names, schema.Fold(s.Text(0)))
		return nil
	}, tidemark.Text(t.Name))
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("table %s cannot be made here", t.Name)
	}
	return names, err
}
