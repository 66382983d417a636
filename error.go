package tidemark

import (
	"errors"
	"strings"
)

// Error is what every package of the module returns to its callers: a stable
// code from spec/errors.json, the operation that failed, and a next step
// where there is one.
type Error struct {
	Code  Code
	Op    string // what was being done, e.g. "clone", "adopt"
	Space string
	Err   error  // the cause, may be nil
	Msg   string // one sentence
	Hint  string // what the person can do next

	// Where, for errors about data.
	Table   string
	Key     []Value
	Columns []string
	Other   []Value // unique: key of the row that has the value already, where it is known
}

// Error returns operation, message and cause on one line, without the hint.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Op != "" {
		b.WriteString(e.Op + ": ")
	}
	if e.Space != "" {
		b.WriteString("space " + e.Space + ": ")
	}
	switch {
	case e.Msg != "" && e.Err != nil:
		b.WriteString(e.Msg + ": " + e.Err.Error())
	case e.Msg != "":
		b.WriteString(e.Msg)
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	default:
		b.WriteString(string(e.Code))
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is matches another *Error by code, so that errors.Is(err, &Error{Code: c}) works.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Op == "" && t.Err == nil
}

// CodeOf returns the code of the first *Error in err's chain, or "".
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// HintOf returns the next step of the first *Error in err's chain that has one.
func HintOf(err error) string {
	var e *Error
	for errors.As(err, &e) {
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}
