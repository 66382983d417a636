package twin

import (
	"slices"
	"strings"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// extra is what the simulator's apps do not have: an index for full text kept
// by triggers, keys that can be NULL, rows wider than a record of the log,
// values that no app should write under policies that must take them.
const extra = `
CREATE TABLE xdoc (id INTEGER PRIMARY KEY, body TEXT NOT NULL DEFAULT '', seen, n INTEGER DEFAULT 0);
CREATE VIRTUAL TABLE xdoc_text USING fts5(body, content='xdoc', content_rowid='id');
CREATE TRIGGER xdoc_ai AFTER INSERT ON xdoc BEGIN INSERT INTO xdoc_text(rowid, body) VALUES (new.id, new.body); END;
CREATE TRIGGER "xdoc ad" AFTER DELETE ON xdoc BEGIN INSERT INTO xdoc_text(xdoc_text, rowid, body) VALUES ('delete', old.id, old.body); END;
CREATE TRIGGER [xdoc_au] AFTER UPDATE OF id, body ON xdoc BEGIN
  INSERT INTO xdoc_text(xdoc_text, rowid, body) VALUES ('delete', old.id, old.body);
  INSERT INTO xdoc_text(rowid, body) VALUES (new.id, new.body); END;
CREATE TRIGGER xdoc_stamp AFTER UPDATE OF body ON xdoc BEGIN UPDATE xdoc SET seen = 'stamped ' || new.n WHERE id = new.id; END;
CREATE TABLE xloose (k TEXT PRIMARY KEY, v);
CREATE TABLE xauto (id INTEGER PRIMARY KEY AUTOINCREMENT, u TEXT UNIQUE COLLATE NOCASE, up INTEGER REFERENCES xauto (id) ON DELETE SET NULL);
CREATE TABLE xwide (a INTEGER, b TEXT COLLATE RTRIM, c BLOB, d REAL, e, f INTEGER, v1, v2, v3, v4, v5, v6, v7, v8, v9, v10, v11, v12 DEFAULT 'twelve',
  PRIMARY KEY (a, b, c, d, e, f)) WITHOUT ROWID;
CREATE TABLE xone (a, b TEXT, c, id TEXT PRIMARY KEY NOT NULL, UNIQUE (a, b));
CREATE UNIQUE INDEX xone_c ON xone (lower(c)) WHERE c IS NOT NULL AND typeof(c) = 'text';
CREATE TABLE xpol (id TEXT PRIMARY KEY NOT NULL, count INTEGER, real REAL, most, least, labels TEXT, prefs TEXT, body TEXT, late, first,
  strict, hand, title TEXT, street TEXT, city TEXT, tally INTEGER CHECK (tally BETWEEN -50 AND 50));
CREATE TABLE xkeep (id INTEGER PRIMARY KEY, a, b TEXT);
CREATE TABLE xchild (id TEXT PRIMARY KEY NOT NULL, pol TEXT REFERENCES xpol (id) ON DELETE CASCADE ON UPDATE CASCADE, doc INTEGER REFERENCES xdoc (id), what ANY) STRICT;
CREATE TABLE xnote (doc INTEGER REFERENCES xdoc (id) ON DELETE SET NULL ON UPDATE CASCADE, what);
INSERT INTO xpol (id, count, real, labels, prefs, body, tally) VALUES ('p1', 1, 0.5, '[]', '{}', 'one', 0), ('p2', 2, NULL, '["a","b"]', '{"a":{"b":[1]}}', 'zwei
drei', 0), ('p3', NULL, -1e300, NULL, NULL, NULL, NULL);
INSERT INTO xdoc (id, body) VALUES (1, 'alpha beta'), (2, '');
INSERT INTO xauto VALUES (1, 'Ann', NULL), (2, 'Bob', 1);
INSERT INTO xkeep VALUES (1, 1, 'x'), (2, 2, 'y');
`

// policies lays those of the extra tables over a schema that has the apps' policies.
func (x *extras) policies(sc *tidemark.Schema) (*tidemark.Schema, error) {
	laid, err := x.apps.Policies(sc)
	if err != nil {
		return nil, err
	}
	out := *laid
	out.Tables = slices.Clone(laid.Tables)
	for i, t := range out.Tables {
		if strings.HasPrefix(t.Name, "x") || t.Name == "stask" || t.Name == "snote" {
			out.Tables[i] = lay(t)
		}
	}
	out.Hash = schema.HashOf(&out)
	return &out, nil
}

var columnPolicies = map[string]tidemark.Policy{
	"count": tidemark.PolicyCounter, "real": tidemark.PolicyCounter, "tally": tidemark.PolicyCounter, "most": tidemark.PolicyMax,
	"least": tidemark.PolicyMin, "labels": tidemark.PolicySet, "prefs": tidemark.PolicyJSON, "body": tidemark.PolicyText,
	"late": tidemark.PolicyLatestEdit, "first": tidemark.PolicyFirstWrite, "strict": tidemark.PolicyReject, "hand": tidemark.PolicyManual,
	"title": tidemark.PolicyCustom,
}

func lay(t *tidemark.Table) *tidemark.Table {
	c := *t
	c.Columns = slices.Clone(t.Columns)
	switch t.Name {
	case "xpol":
		for i := range c.Columns {
			col := &c.Columns[i]
			col.Policy = columnPolicies[col.Name]
			switch {
			case col.Policy == tidemark.PolicyCustom:
				col.Custom = "longer"
			case col.Name == "street" || col.Name == "city":
				col.Group = "street"
			}
		}
		c.Policy.MaxSkew = time.Minute
	case "xdoc":
		c.Policy.OnInsert = tidemark.InsertRenumber
		c.Columns[1].Policy = tidemark.PolicyText
	case "xauto":
		c.Policy.OnInsert, c.Policy.Lease = tidemark.InsertRenumber, 5
	case "stask":
		c.Columns[4].Policy, c.Columns[5].Policy = tidemark.PolicyCounter, tidemark.PolicyText
		c.Columns[3].Policy = tidemark.PolicyManual
	case "snote":
		c.Policy.OnInsert = tidemark.InsertRenumber
	case "xkeep":
		c.Policy.OnDelete, c.Policy.OnInsert = tidemark.RowManual, tidemark.InsertMerge
	}
	return &c
}
