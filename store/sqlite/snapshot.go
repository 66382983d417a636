package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/digest"
	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
	"github.com/tidemarkdb/tidemark/internal/row"
	"github.com/tidemarkdb/tidemark/internal/schema"
)

// snapshot is a file in the making. It reads the space through an attached
// source, all in one transaction, and so sees one state.
type snapshot struct {
	s      *Store
	db     *lite.DB // main is the new file, src the space
	schema *tidemark.Schema
	info   tidemark.SnapshotInfo
	gone   []string // names of objects that could not be made
}

// Snapshot writes the current state as a plain file; see tidemark.Store. Of a
// scoped space it holds the schema alone: rows come by scopes.
func (s *Store) Snapshot(ctx context.Context, path string) (tidemark.SnapshotInfo, error) {
	if _, err := os.Stat(path); s.opts.VFS == "" && !errors.Is(err, fs.ErrNotExist) {
		return tidemark.SnapshotInfo{}, &tidemark.Error{Code: tidemark.CodeExists, Op: "snapshot", Space: s.opts.Space, Msg: path + " is there already"}
	}
	db, err := lite.Open(path, lite.Options{Create: true, VFS: s.opts.VFS, Busy: s.opts.Busy})
	if err != nil {
		return tidemark.SnapshotInfo{}, s.explain("snapshot", err)
	}
	db.SetContext(ctx)
	n := &snapshot{s: s, db: db}
	err = n.make()
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	if err != nil && s.opts.VFS == "" {
		_ = os.Remove(path)
	}
	return n.info, s.explain("snapshot", err)
}

func (n *snapshot) make() error {
	if err := n.attach(); err != nil {
		return err
	}
	err := n.db.View(func() error {
		for _, step := range []func() error{n.begin, n.tables, n.rows, n.sequences, n.indexes, n.virtual, n.rest} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	n.info.Bytes, err = n.db.Int("SELECT page_count * page_size FROM pragma_page_count('main'), pragma_page_size('main')")
	return err
}

// attach gives the new file the properties of the old one, which must happen
// before anything stands in it. Nobody reads it until it is done: no journal.
func (n *snapshot) attach() error {
	from, err := n.s.borrow(context.Background())
	if err != nil {
		return err
	}
	defer func() { n.s.readers <- from }()
	for _, name := range []string{"encoding", "page_size", "auto_vacuum", "application_id", "user_version"} {
		row, err := from.Get("PRAGMA main." + name)
		if err != nil {
			return err
		}
		if err := n.db.Run("PRAGMA main." + name + " = " + lite.Literal(row[0])); err != nil {
			return err
		}
	}
	for _, pragma := range []string{"main.journal_mode = OFF", "main.synchronous = OFF", "ignore_check_constraints = ON"} {
		if err := n.db.Run("PRAGMA " + pragma); err != nil {
			return err
		}
	}
	if err := n.db.SetForeignKeys(false); err != nil {
		return err
	}
	if err := n.db.AllowQuotedStrings(); err != nil {
		return err
	}
	return n.db.Run("ATTACH ?1 AS src", tidemark.Text(n.s.path))
}

// begin makes sure that the state seen holds nothing unsequenced, and names it.
func (n *snapshot) begin() error {
	if err := sealed(n.db, "src"); err != nil {
		return err
	}
	hash, err := n.db.Text("SELECT v FROM src._tm_meta WHERE k = ?1", tidemark.Text(meta.KeySchema))
	if err != nil {
		return err
	}
	body, err := n.db.Get("SELECT body FROM src._tm_schema WHERE hash = ?1", tidemark.Text(hash))
	if err != nil {
		return err
	}
	if n.schema, err = schema.Decode([]byte(body[0].Str())); err != nil {
		return err
	}
	head, term, err := readPlace(n.db, "src")
	if err != nil {
		return err
	}
	l := newLedger(digest.New(n.s.key))
	if err := l.load(n.db, "src"); err != nil {
		return err
	}
	v := view{s: n.s, schema: n.schema}
	n.info.State = v.state(head, term, l.total(n.schema))
	return nil
}

// tables makes all tables, in the words in which they were made.
func (n *snapshot) tables() error {
	return n.create(func(o tidemark.Object) bool { return o.Type == "table" })
}

func (n *snapshot) create(which func(tidemark.Object) bool) error {
	for _, o := range n.schema.Objects {
		if !which(o) {
			continue
		}
		if needs := n.needsGone(o); needs != "" {
			n.leave(o, "it needs "+needs)
			continue
		}
		sql, err := n.wordsOf(o)
		if err != nil {
			return err
		}
		if err := n.db.Script(sql); err != nil {
			if lite.Full(err) || lite.Interrupted(err) {
				return err
			}
			n.leave(o, err.Error())
		}
	}
	return nil
}

// wordsOf is how an object is made in a copy: a table without the foreign keys that
// a copy cannot honour.
func (n *snapshot) wordsOf(o tidemark.Object) (string, error) {
	t := n.schema.Named(o.Name)
	if o.Type != "table" || t == nil || t.Out != "" {
		return o.SQL, nil
	}
	return schema.LooseSQL(t)
}

func (n *snapshot) leave(o tidemark.Object, why string) {
	n.gone = append(n.gone, o.Name)
	n.info.Left = append(n.info.Left, fmt.Sprintf("%s %s: %s", o.Type, o.Name, why))
}

// needsGone looks for the names of objects that were left out in a trigger: it
// would make every write to its table fail. Names are searched as text, which
// rather leaves one trigger too many out.
func (n *snapshot) needsGone(o tidemark.Object) string {
	for _, name := range n.gone {
		if o.Type == "trigger" && strings.Contains(strings.ToLower(o.SQL), strings.ToLower(name)) {
			return name
		}
		if o.Type == "index" && tidemark.SameName(o.Table, name) {
			return name
		}
	}
	return ""
}

// rows copies the synced tables.
func (n *snapshot) rows() error {
	if n.schema.Scoped() {
		n.info.State.Sum = 0
		return nil
	}
	for _, t := range n.schema.Tables {
		if t.Out != "" {
			continue
		}
		columns, err := n.copied(t)
		if err != nil {
			return err
		}
		name := lite.Quote(t.Name)
		copy := "INSERT INTO main." + name + " (" + columns + ") SELECT " + columns + " FROM src." + name
		if where := row.WhereKeyless(t); where != "" {
			copy += " WHERE NOT (" + where + ")" // what somebody wrote past capture is in no sum
		}
		if err := n.db.Run(copy); err != nil {
			return err
		}
		n.info.Rows += n.db.Conn().Changes()
	}
	return nil
}

// copied lists the stored columns, and the rowid where it is not a column: a
// full-text index may refer to it.
func (n *snapshot) copied(t *tidemark.Table) (string, error) {
	columns := ""
	for i, c := range t.Columns {
		if i > 0 {
			columns += ", "
		}
		columns += lite.Quote(c.Name)
	}
	if t.WithoutRowid || t.RowidAlias {
		return columns, nil
	}
	var taken []string
	err := n.db.Each("SELECT lower(name) FROM pragma_table_xinfo(?1, 'src')", func(s *lite.Stmt) error {
		taken = append(taken, s.Text(0))
		return nil
	}, tidemark.Text(t.Name))
	for _, alias := range []string{"rowid", "_rowid_", "oid"} {
		if !slices.Contains(taken, alias) {
			return alias + ", " + columns, err
		}
	}
	return columns, err
}

// sequences carries the counters of AUTOINCREMENT tables over. In a scoped space
// how far they are is nobody's business.
func (n *snapshot) sequences() error {
	if n.schema.Scoped() {
		return nil
	}
	for _, t := range n.schema.Tables {
		if !t.Autoinc || t.Out != "" {
			continue
		}
		if err := n.db.Run("DELETE FROM main.sqlite_sequence WHERE name = ?1", tidemark.Text(t.Name)); err != nil {
			return err
		}
		err := n.db.Run("INSERT INTO main.sqlite_sequence (name, seq) SELECT name, seq FROM src.sqlite_sequence WHERE name = ?1", tidemark.Text(t.Name))
		if err != nil {
			return err
		}
	}
	return nil
}

func (n *snapshot) indexes() error {
	return n.create(func(o tidemark.Object) bool { return o.Type == "index" })
}

// rest makes views and triggers, which nothing above may fire.
func (n *snapshot) rest() error {
	if err := n.create(func(o tidemark.Object) bool { return o.Type == "view" }); err != nil {
		return err
	}
	return n.create(func(o tidemark.Object) bool { return o.Type == "trigger" })
}
