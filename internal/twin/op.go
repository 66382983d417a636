package twin

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark"
)

// Op is one thing that happens in a world. One that makes no sense where the
// world stands (a message that is not there, a server that is down) does
// nothing, so that any part of a script is a script.
type Op struct {
	Do    string `json:"do"`             // see world.do
	Wait  int64  `json:"wait,omitempty"` // milliseconds that pass before
	Dev   int    `json:"dev,omitempty"`
	N     int    `json:"n,omitempty"` // which message, how many, which record
	Stmts []Stmt `json:"stmts,omitempty"`
	Flag  bool   `json:"flag,omitempty"`  // of write: the app's own transaction; of retry: apart; of down, local: it dies before it answers; of clone: read-only; of subscribe: these and no others
	Loose bool   `json:"loose,omitempty"` // of clone: these scopes and no others
}

func (o Op) String() string {
	b, err := json.Marshal(o)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Stmt is an SQL statement with its arguments, spelled as in the vectors.
type Stmt struct {
	SQL  string   `json:"sql"`
	Args []string `json:"args,omitempty"`
}

func newStmt(sql string, args []tidemark.Value) Stmt {
	s := Stmt{SQL: sql}
	for _, v := range args {
		s.Args = append(s.Args, spell(v))
	}
	return s
}

func (s Stmt) values() ([]tidemark.Value, error) {
	var list []tidemark.Value
	for _, a := range s.Args {
		v, err := unspell(a)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// spell writes a value as the vectors do.
func spell(v tidemark.Value) string {
	switch v.Kind() {
	case tidemark.KindInt:
		return fmt.Sprintf("integer:%d", v.Int64())
	case tidemark.KindReal:
		return fmt.Sprintf("real:%016x", math.Float64bits(v.Float64()))
	case tidemark.KindText:
		return fmt.Sprintf("text:%x", v.Str())
	case tidemark.KindBlob:
		return fmt.Sprintf("blob:%x", v.Str())
	}
	return "null"
}

func unspell(s string) (tidemark.Value, error) {
	kind, rest, _ := strings.Cut(s, ":")
	switch kind {
	case "null":
		return tidemark.Null, nil
	case "integer":
		n, err := strconv.ParseInt(rest, 10, 64)
		return tidemark.Int(n), err
	case "real":
		bits, err := strconv.ParseUint(rest, 16, 64)
		return tidemark.Real(math.Float64frombits(bits)), err
	case "text":
		b, err := hex.DecodeString(rest)
		return tidemark.Text(string(b)), err
	case "blob":
		b, err := hex.DecodeString(rest)
		return tidemark.Blob(b), err
	}
	return tidemark.Null, fmt.Errorf("%q is no value", s)
}
