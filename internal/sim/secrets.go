package sim

import (
	"maps"
	"slices"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/internal/sim/oracle"
)

// secrets follows texts that occur nowhere else, wherever they get to: who may
// have come to know each of them, and in which scopes it ever was. Such a text
// is found in the bytes of any message and of any file.
type secrets struct {
	model  *oracle.Model
	people []string
	known  map[string]map[string]bool // by text: who may know it
	scopes map[string]map[string]bool // by text: where it was
	wrote  map[string]map[string]bool // by person: what he wrote, or changed, or deleted
	spoken []spoken
}

// spoken is what a record of a conflict says of a row.
type spoken struct {
	row   rowName
	texts []string
}

// secretLength is that of a gen.secret: a sign and eight letters.
const secretLength = 9

func newSecrets(m *oracle.Model) *secrets {
	return &secrets{
		model: m, people: []string{"", person(0), person(1), person(2)},
		known: map[string]map[string]bool{}, scopes: map[string]map[string]bool{}, wrote: map[string]map[string]bool{},
	}
}

// eachSecret calls fn for every text in some bytes that may be a secret.
func eachSecret(bytes []byte, fn func(text string)) {
	for i := 0; i+secretLength <= len(bytes); i++ {
		if bytes[i] == '$' && !slices.ContainsFunc(bytes[i+1:i+secretLength], notLetter) {
			fn(string(bytes[i : i+secretLength]))
		}
	}
}

func notLetter(b byte) bool { return (b|0x20) < 'a' || (b|0x20) > 'z' }

func eachSecretOf(vs []tidemark.Value, fn func(text string)) {
	for _, v := range vs {
		if v.Kind() == tidemark.KindText {
			eachSecret([]byte(v.Str()), fn)
		}
	}
}

func mark(m map[string]map[string]bool, key, value string) {
	if m[key] == nil {
		m[key] = map[string]bool{}
	}
	m[key][value] = true
}

// see notes who may read what in a new state.
func (x *secrets) see(h *history, s oracle.State) {
	granted := make([]map[string]bool, len(x.people))
	for i, who := range x.people {
		granted[i] = map[string]bool{}
		for _, scope := range x.model.Granted(s, who) {
			granted[i][scope] = true
		}
	}
	spread := func(text string, scopes []string) {
		for _, scope := range scopes {
			mark(x.scopes, text, scope)
			for i, who := range x.people {
				if granted[i][scope] {
					mark(x.known, text, who)
				}
			}
		}
	}
	for table, rows := range s {
		for key, row := range rows {
			eachSecretOf(row, func(text string) {
				mark(x.known, text, "the server")
				spread(text, h.in[rowName{table, key}])
			})
		}
	}
	for _, c := range x.spoken {
		for _, text := range c.texts {
			spread(text, h.in[c.row])
		}
	}
}

// write notes what somebody himself put into rows, or took out of them: that
// stays his, in his pending and his rejected changesets.
func (x *secrets) write(who string, before oracle.State, changes []oracle.Change) {
	if !x.model.Scoped() {
		return
	}
	note := func(text string) {
		mark(x.known, text, who)
		mark(x.wrote, who, text)
	}
	for _, c := range changes {
		eachSecretOf(c.New, note)
		old := before[c.Table][x.model.Table(c.Table).KeyOf(c.Key)]
		if c.Op == tidemark.Delete {
			eachSecretOf(old, note)
		}
		for _, col := range c.Cols {
			eachSecretOf(old[col:col+1], note)
		}
	}
}

// speak notes that a conflict's record tells of a row.
func (x *secrets) speak(row rowName, record []tidemark.Value) {
	c := spoken{row: row}
	eachSecretOf(record, func(text string) { c.texts = append(c.texts, text) })
	x.spoken = append(x.spoken, c)
}

// leak returns a text in some bytes that somebody can not have come to know,
// or "".
func (x *secrets) leak(who string, bytes []byte) (leaked string) {
	eachSecret(bytes, func(text string) {
		if known, is := x.known[text]; is && !known[who] {
			leaked = text
		}
	})
	return leaked
}

// left returns a text in a file that its owner did not write and that was only
// ever in other scopes than the ones given, or "".
func (x *secrets) left(who string, scopes []string, file []byte) (left string) {
	eachSecret(file, func(text string) {
		if x.known[text] == nil || x.wrote[who][text] {
			return
		}
		if !slices.ContainsFunc(scopes, func(scope string) bool { return x.scopes[text][scope] }) {
			left = text
		}
	})
	return left
}

// where says where a text was, for messages.
func (x *secrets) where(text string) []string { return slices.Sorted(maps.Keys(x.scopes[text])) }
