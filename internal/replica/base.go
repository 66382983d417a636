package replica

import (
	"sort"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/lite"
)

// rowID names a row of any table: the table's ID and Table.KeyID of the key.
type rowID struct {
	t   int
	key string
}

func idOf(t *tidemark.Table, key []tidemark.Value) rowID {
	return rowID{t.ID, t.KeyID(key)}
}

func (id rowID) args() (t, key tidemark.Value) {
	return tidemark.Int(int64(id.t)), tidemark.BlobString(id.key)
}

func (id rowID) less(other rowID) bool {
	if id.t != other.t {
		return id.t < other.t
	}
	return id.key < other.key
}

// inOrder sorts row names, so that nothing depends on the order of a map.
func inOrder[V any](rows map[rowID]V) []rowID {
	ids := make([]rowID, 0, len(rows))
	for id := range rows {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return ids[i].less(ids[j]) })
	return ids
}

// images maps rows to what they hold; nil means that the row is not there.
type images map[rowID][]tidemark.Value

// keyAfter is the key that a row has once the change is done.
func keyAfter(t *tidemark.Table, c *tidemark.Change) []tidemark.Value {
	if c.Op != tidemark.Update {
		return c.Key
	}
	var key []tidemark.Value
	for i, place := range t.Key {
		for j, col := range c.Cols {
			if col != place {
				continue
			}
			if key == nil {
				key = append(key, c.Key...)
			}
			key[i] = c.New[j]
		}
	}
	if key == nil {
		return c.Key
	}
	return key
}

// wellFormed reports whether a change can be one of this table.
func wellFormed(t *tidemark.Table, c *tidemark.Change) bool {
	if len(c.Key) != len(t.Key) || len(c.New) > len(t.Columns) {
		return false
	}
	if c.Op != tidemark.Update {
		return c.Op == tidemark.Delete || c.Op == tidemark.Insert
	}
	for _, col := range c.Cols {
		if col < 0 || col >= len(t.Columns) {
			return false
		}
	}
	return len(c.Cols) == len(c.New)
}

// forgets reports whether a change takes a row of this table out of a scope.
func forgets(t *tidemark.Table, c *tidemark.Change) bool {
	return c.Op == tidemark.Forget && len(c.Key) == len(t.Key)
}

// rowsOf lists the rows that a change touches: one, or two when a row moves.
func rowsOf(t *tidemark.Table, c *tidemark.Change) []rowID {
	from, to := idOf(t, c.Key), idOf(t, keyAfter(t, c))
	if from == to {
		return []rowID{from}
	}
	return []rowID{from, to}
}

// synced finds a table that still syncs, or nil.
func synced(s *tidemark.Schema, id int) *tidemark.Table {
	if t := s.Table(id); t != nil && t.Out == "" {
		return t
	}
	return nil
}

// baseImage reads the confirmed image of a row that pending touches.
func baseImage(db *lite.DB, id rowID) (image []tidemark.Value, held bool, err error) {
	t, key := id.args()
	err = db.Each("SELECT image FROM main._tm_base WHERE t = ?1 AND key = ?2", func(s *lite.Stmt) error {
		held = true
		image, err = decodeImage(s, 0)
		return err
	}, t, key)
	return image, held, err
}

func setBase(db *lite.DB, id rowID, image []tidemark.Value) error {
	t, key := id.args()
	return db.Run("INSERT OR REPLACE INTO main._tm_base (t, key, image) VALUES (?1, ?2, ?3)", t, key, encodeImage(image))
}

// keepBase keeps the image of a row that nothing pending touched so far.
func keepBase(db *lite.DB, id rowID, image []tidemark.Value) error {
	t, key := id.args()
	if large(image) { // of a document only the first key press pays for its length
		n, err := db.Int("SELECT EXISTS (SELECT 1 FROM main._tm_base WHERE t = ?1 AND key = ?2)", t, key)
		if err != nil || n != 0 {
			return err
		}
	}
	return db.Run("INSERT OR IGNORE INTO main._tm_base (t, key, image) VALUES (?1, ?2, ?3)", t, key, encodeImage(image))
}

// large reports whether encoding an image costs more than looking whether it
// has to be encoded.
func large(image []tidemark.Value) bool {
	size := 0
	for _, v := range image {
		size += v.Size()
	}
	return size > 4<<10
}

func dropBase(db *lite.DB, id rowID) error {
	t, key := id.args()
	return db.Run("DELETE FROM main._tm_base WHERE t = ?1 AND key = ?2", t, key)
}

// anyBase reports whether pending touches any row at all.
func anyBase(db *lite.DB) (bool, error) {
	n, err := db.Int("SELECT EXISTS (SELECT 1 FROM main._tm_base)")
	return n != 0, err
}
