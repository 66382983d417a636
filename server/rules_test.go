package server

import (
	"strings"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/wire"
)

// signedIn is a device of somebody.
func (d *deck) signedIn(who string, more ...any) *device {
	d.t.Helper()
	v := d.newDevice()
	v.signIn(tokenFor(d.t, who, time.Hour, more...))
	v.send(&v.hello)
	if _, ok := v.next().(*wire.Welcome); !ok {
		d.t.Fatalf("%s is not welcome", who)
	}
	return v
}

func (v *device) tries(c tidemark.Change) tidemark.Outcome {
	v.d.t.Helper()
	p := v.push(c)
	p.Seen = v.hello.Seq
	v.send(p)
	return v.outcome()
}

func TestWithTokensOnlyWhatRulesAllowIsTaken(t *testing.T) {
	d := newDeck(t, Options{Auth: testTokens(t, TokenOptions{})}, testTuning())
	ana := d.signedIn("ana")
	if o := ana.tries(insertItem(1, "one")); o.Code != tidemark.CodeForbidden || o.Table != "item" {
		t.Errorf("%+v", o)
	}
}

func TestRulesKnowTheToken(t *testing.T) {
	d, file := declaredDeck(t, "rules: {tables: {item: {insert: 'NEW.name = :user', update: \":claims ->> 'role' = 'admin'\"}}}", Options{Auth: testTokens(t, TokenOptions{})})
	ana, root := d.signedIn("ana"), d.signedIn("root", "role", "admin")
	for _, c := range []struct {
		who     *device
		change  tidemark.Change
		allowed bool
	}{
		{ana, insertItem(1, "ana"), true}, {ana, insertItem(2, "bob"), false}, {ana, setName(1, "x"), false}, {root, setName(1, "x"), true}, {root, insertItem(3, "ana"), false},
	} {
		o := c.who.tries(c.change)
		if o.Kind != tidemark.Rejected {
			ana.reach(o.Seq)
			root.reach(o.Seq)
		}
		if (o.Kind != tidemark.Rejected) != c.allowed || !c.allowed && o.Code != tidemark.CodeForbidden {
			t.Errorf("%v: %+v", c.change, o)
		}
		if strings.Contains(o.Message, "ana") || strings.Contains(o.Message, "bob") {
			t.Errorf("the reason tells a value: %s", o.Message)
		}
	}
	// Others hold from the next changeset on, without anybody's reconnecting.
	writeFile(t, file, "rules: {tables: {item: {insert: none, update: public}}}")
	if err := d.srv.Reload(); err != nil {
		t.Fatal(err)
	}
	if o := ana.tries(setName(1, "y")); o.Kind == tidemark.Rejected {
		t.Errorf("%+v", o)
	}
	if o := ana.tries(insertItem(4, "ana")); o.Code != tidemark.CodeForbidden {
		t.Errorf("%+v", o)
	}
	// What does not fit changes nothing.
	writeFile(t, file, "rules: {tables: {item: {insert: public, update: NEW.absent}}}")
	if err := d.srv.Reload(); err == nil || !strings.Contains(err.Error(), "no such column: NEW.absent") {
		t.Errorf("%v", err)
	}
	if o := ana.tries(insertItem(5, "ana")); o.Code != tidemark.CodeForbidden {
		t.Errorf("%+v", o)
	}
}

func TestRulesThatDoNotFitAreNotServed(t *testing.T) {
	d, _ := declaredDeck(t, "tables: {}", Options{})
	path := d.srv.spaces["shop"].path
	if err := d.srv.Close(); err != nil {
		t.Fatal(err)
	}
	file := t.TempDir() + "/wrong.yaml"
	writeFile(t, file, "rules: {tables: {item: {insert: NEW.absent}}}")
	srv, err := Open(path, Options{Policies: file})
	if err == nil {
		_ = srv.Close()
	}
	if tidemark.CodeOf(err) != tidemark.CodeUsage || !strings.Contains(err.Error(), "wrong.yaml:1:33") {
		t.Errorf("%v", err)
	}
}
