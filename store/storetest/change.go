package storetest

import (
	"github.com/tidemarkdb/tidemark"
)

// row makes values of Go ones: int, float64, string, []byte, nil.
func row(values ...any) []tidemark.Value {
	out := make([]tidemark.Value, len(values))
	for i, v := range values {
		var err error
		if out[i], err = tidemark.ValueOf(v); err != nil {
			panic(err)
		}
	}
	return out
}

// insert puts a row into table t; its key is its first column unless the key
// is made by composite.
func insert(t int, values ...any) tidemark.Change {
	return tidemark.Change{Table: t, Op: tidemark.Insert, Key: row(values...)[:1], New: row(values...)}
}

// pair is insert for a table whose key is its first two columns.
func pair(t int, values ...any) tidemark.Change {
	return tidemark.Change{Table: t, Op: tidemark.Insert, Key: row(values...)[:2], New: row(values...)}
}

func remove(t int, key ...any) tidemark.Change {
	return tidemark.Change{Table: t, Op: tidemark.Delete, Key: row(key...)}
}

// update sets columns, given as place, value, place, value ...
func update(t int, key []tidemark.Value, sets ...any) tidemark.Change {
	c := tidemark.Change{Table: t, Op: tidemark.Update, Key: key}
	for i := 0; i < len(sets); i += 2 {
		c.Cols = append(c.Cols, sets[i].(int))
		c.New = append(c.New, row(sets[i+1])[0])
	}
	return c
}
