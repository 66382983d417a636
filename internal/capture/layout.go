package capture

import "github.com/tidemarkdb/tidemark"

// layout says where a table's values stand in log records. The key's columns
// come first, as many as have room; the others follow in groups. Since columns
// are only ever appended and a key never changes, records made under an older
// schema of a table keep their meaning.
type layout struct {
	inline []int // key columns in the record itself
	rest   []int // key columns in records behind it
	values []int // the columns that are not in the key
	per    int   // values in a record
	groups int   // at least 1

	newest int64 // bits in a mask of group 0 whose columns keep the newest edit; all, where such a column is in another group
}

func layoutOf(t *tidemark.Table) *layout {
	inKey := make([]bool, len(t.Columns))
	for _, k := range t.Key {
		inKey[k] = true
	}
	n := min(keySlots, len(t.Key))
	l := &layout{inline: t.Key[:n], rest: t.Key[n:]}
	for c := range t.Columns {
		if !inKey[c] {
			l.values = append(l.values, c)
		}
	}
	l.per = slots - len(l.inline)
	l.groups = max(1, (len(l.values)+l.per-1)/l.per)
	l.newest = l.newestOf(t)
	return l
}

func (l *layout) newestOf(t *tidemark.Table) (bits int64) {
	for i, c := range l.values {
		switch {
		case t.PolicyOf(c) != tidemark.PolicyLatestEdit:
		case i >= l.per:
			return -1
		default:
			bits |= 1 << i
		}
	}
	return bits
}

// group lists the columns of group g.
func (l *layout) group(g int) []int {
	if g >= l.groups {
		return nil
	}
	return l.values[g*l.per : min((g+1)*l.per, len(l.values))]
}
