package wire

import (
	"math"
	"math/rand/v2"

	"github.com/tidemarkdb/tidemark"
)

var oddValues = []tidemark.Value{
	tidemark.Null,
	tidemark.Int(0), tidemark.Int(-1), tidemark.Int(1 << 53), tidemark.Int(1<<53 + 1), tidemark.Int(-1 << 53),
	tidemark.Int(-1<<53 - 1), tidemark.Int(math.MaxInt64), tidemark.Int(math.MinInt64),
	tidemark.Real(0), tidemark.Real(math.Copysign(0, -1)), tidemark.Real(1), tidemark.Real(-1), tidemark.Real(1.5),
	tidemark.Real(0.1), tidemark.Real(1e-7), tidemark.Real(1e20), tidemark.Real(1e21), tidemark.Real(1e300),
	tidemark.Real(math.MaxFloat64), tidemark.Real(math.SmallestNonzeroFloat64), tidemark.Real(1 << 53),
	tidemark.Real(math.Inf(1)), tidemark.Real(math.Inf(-1)), tidemark.Real(123456789.125),
	tidemark.Text(""), tidemark.Text("a\x00b"), tidemark.Text("\"\\/\b\f\n\r\t\x7f"), tidemark.Text("grüße 𝄞 \u2028"),
	tidemark.Text("\xff"), tidemark.Text("\xed\xa0\x80"), tidemark.Text("a\uFFFDb"), tidemark.Text("<script>&"),
	tidemark.Blob(nil), tidemark.Blob([]byte{0}), tidemark.Blob([]byte{0xff, 0xfe}), tidemark.BlobString("abc"),
}

func randomValue(r *rand.Rand) tidemark.Value {
	switch r.IntN(8) {
	case 0:
		return tidemark.Int(int64(r.Uint64()) >> r.IntN(64))
	case 1:
		return tidemark.Real(math.Float64frombits(r.Uint64()))
	case 2:
		return tidemark.Real(float64(r.IntN(1000)) / 4)
	case 3, 4:
		return tidemark.Text(randomString(r))
	case 5:
		return tidemark.BlobString(randomString(r))
	}
	return oddValues[r.IntN(len(oddValues))]
}

func randomString(r *rand.Rand) string {
	b := make([]byte, r.IntN(20))
	for i := range b {
		if b[i] = byte(r.IntN(128)); r.IntN(8) == 0 {
			b[i] = byte(r.Uint32())
		}
	}
	return string(b)
}

// randomText is UTF-8, as names and sentences in messages are.
func randomText(r *rand.Rand) string {
	runes := make([]rune, r.IntN(10))
	for i := range runes {
		runes[i] = rune(r.IntN(0xD000))
	}
	return string(runes)
}

func randomValues(r *rand.Rand, n int) []tidemark.Value {
	vs := make([]tidemark.Value, n)
	for i := range vs {
		vs[i] = randomValue(r)
	}
	return vs
}

// randomChanges makes changes as engines do, in runs of like shape, with a few
// odd ones among them. Lists without elements are nil, as decoders give them.
func randomChanges(r *rand.Rand, old bool) []tidemark.Change {
	var changes []tidemark.Change
	for range r.IntN(5) {
		table, op, width := r.IntN(4), tidemark.Op(1+r.IntN(3)), 1+r.IntN(6)
		cols := r.Perm(width)[:1+r.IntN(width)]
		for range 1 + r.IntN(5) {
			changes = append(changes, randomChange(r, table, op, width, cols, old))
		}
		if r.IntN(4) == 0 {
			changes = append(changes, oddChange(r, old))
		}
		if r.IntN(4) == 0 {
			changes = append(changes, editedChange(r, old))
		}
	}
	return changes
}

func randomChange(r *rand.Rand, table int, op tidemark.Op, width int, cols []int, old bool) tidemark.Change {
	row := randomValues(r, width)
	c := tidemark.Change{Table: table, Op: op, Key: []tidemark.Value{row[width-1]}}
	switch op {
	case tidemark.Insert:
		c.New = row
	case tidemark.Update:
		c.Cols, c.New = cols, randomValues(r, len(cols))
		if old {
			c.Old = randomValues(r, len(cols))
		}
	case tidemark.Delete:
		if old {
			c.Old = row
		}
	}
	return c
}

// bodies are such as edits have.
var bodies = map[tidemark.EditKind][]string{
	tidemark.EditAdd:     {`1`, `-7`, `0.5`, `{"i":"9223372036854775807"}`},
	tidemark.EditText:    {`{"s":[[3,0,"abc"]]}`, `{"s":[[0,2,"",""]],"after":7,"on":[[0,1,"\u00fc"]]}`},
	tidemark.EditMembers: {`[["a"],[]]`, `[[1,{"a":null}],[[]],"[1, {}]"]`},
	tidemark.EditKeys:    {`[[["a","b"],[1],[]]]`, `[[["a"],[],[{"b":[1.50]}]],"{}"]`},
}

// editedChange is an update some of whose values are edits.
func editedChange(r *rand.Rand, old bool) tidemark.Change {
	n := 1 + r.IntN(4)
	c := tidemark.Change{Table: r.IntN(9), Op: tidemark.Update, Key: randomValues(r, 1), Cols: r.Perm(n), New: randomValues(r, n)}
	if old {
		c.Old = randomValues(r, n)
	}
	if r.IntN(2) == 0 {
		c.MadeAt = int64(r.Uint32())
	}
	kinds := []tidemark.EditKind{tidemark.EditSet, tidemark.EditAdd, tidemark.EditText, tidemark.EditMembers, tidemark.EditKeys}
	for i := range n {
		e := tidemark.Edit{Kind: kinds[r.IntN(len(kinds))]}
		if list := bodies[e.Kind]; list != nil {
			e.Body = list[r.IntN(len(list))]
			c.New[i] = tidemark.Null
			if old {
				c.Old[i] = tidemark.Null
			}
		}
		c.Edits = append(c.Edits, e)
	}
	return c
}

// oddChange fills the fields without sense.
func oddChange(r *rand.Rand, old bool) tidemark.Change {
	some := func() []tidemark.Value { return orNil(randomValues(r, r.IntN(4))) }
	c := tidemark.Change{Table: r.IntN(9), Op: tidemark.Op(1 + r.IntN(3)), Key: some(), New: some()}
	if n := r.IntN(3); n > 0 {
		c.Cols = r.Perm(5)[:n]
	}
	if old {
		c.Old = some()
	}
	if r.IntN(2) == 0 {
		c.MadeAt = int64(r.Uint32())
	}
	return c
}
