package twin

import "github.com/tidemarkdb/tidemark"

// rules judge what devices write, in every second world, so that both kinds of
// devices meet guards: they must refuse the same statements.
func (w *world) rules(*tidemark.Schema) (*tidemark.Rules, error) {
	if w.seed%2 == 0 {
		return nil, nil
	}
	const public = tidemark.RulePublic
	return &tidemark.Rules{Public: true, Tables: []tidemark.TableRules{
		{Table: "xone", Insert: public, Update: "NEW.b IS NULL OR length(NEW.b) < 9", Delete: tidemark.RuleNone},
		{Table: "xkeep", Insert: "NEW.b IS NULL OR NEW.b <> 'x'", Update: public, Delete: public, Immutable: []string{"a"}},
		{Table: "xwide", Insert: public, Update: "OLD.a IS NOT 1", Delete: public, Immutable: []string{"v3"}},
		{Table: "xdoc", Insert: public, Update: public, Delete: "OLD.n IS NULL OR OLD.n < 9", Immutable: []string{"n"}},
		{Table: "slabel", Insert: public, Update: "OLD.name <> 'a'", Delete: "OLD.name <> 'a' AND OLD.name <> 'b'"},
		{Table: "snote", Insert: "NEW.person = :user OR NEW.private = 0", Update: "OLD.person = :user", Delete: public, Immutable: []string{"person"}},
	}}, nil
}
