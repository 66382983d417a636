package merge

import (
	"errors"
	"fmt"

	"github.com/tidemarkdb/tidemark"
)

// call is custom.
func (m *Meeting) call(mine tidemark.Value) (Verdict, error) {
	value, err := guarded(m.Func, m.Base, m.Theirs, mine)
	if err != nil {
		return Verdict{}, m.undecided(err)
	}
	return Verdict{Value: value, Mine: mine, Lost: value != mine, Over: value != m.Theirs}, nil
}

// guarded calls a function of the app, whose panics must not end the server.
func guarded(fn Func, base, theirs, mine tidemark.Value) (value tidemark.Value, err error) {
	defer func() {
		if p := recover(); p != nil {
			value, err = tidemark.Null, fmt.Errorf("it panicked: %v", p)
		}
	}()
	if fn == nil {
		return tidemark.Null, errors.New("it is not registered")
	}
	return fn(base, theirs, mine)
}

// undecided rejects with what the function said. It stands in the message,
// since that is all that reaches the changeset's author.
func (m *Meeting) undecided(err error) error {
	e := &tidemark.Error{Code: tidemark.CodeConflict, Msg: fmt.Sprintf("the merge function cannot decide: %s", err)}
	if m.Column != nil {
		e.Msg = fmt.Sprintf("the merge function %q of column %s cannot decide: %s", m.Column.Custom, m.Column.Name, err)
		e.Columns = []string{m.Column.Name}
	}
	return e
}
