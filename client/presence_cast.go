package client

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/tidemarkdb/tidemark"
)

// Cast says something to everyone who is present: anything that makes JSON of
// at most MaxCast bytes. It is for what is of interest now: nobody who is not
// connected hears of it later, and the server takes about 20 a second.
func (p *Presence) Cast(body any) error {
	b, err := jsonOf("cast", body, MaxCast)
	if err != nil {
		return err
	}
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	if err := p.why(); err != nil && err != p.err { //nolint:errorlint // what was declined before does not matter now
		return err
	}
	if len(p.saying) >= mostSaying {
		return &tidemark.Error{Code: tidemark.CodeRateLimited, Op: "cast", Msg: "too many casts wait to be sent", Hint: "cast less often"}
	}
	p.err = nil
	p.saying = append(p.saying, b)
	p.all.ring()
	return nil
}

func notJoined(op string) error {
	return &tidemark.Error{Code: tidemark.CodeUsage, Op: op, Msg: "this replica has not joined", Hint: "call Join first"}
}

func stateOf(state any) ([]byte, error) {
	if state == nil {
		return []byte("{}"), nil
	}
	b, err := jsonOf("join", state, MaxState)
	if err == nil && b[0] != '{' {
		err = &tidemark.Error{Code: tidemark.CodeUsage, Op: "join", Msg: "a state must be a JSON object", Hint: `like {"name": "Ana"}`}
	}
	return b, err
}

func jsonOf(op string, v any, most int) ([]byte, error) {
	b, err := json.Marshal(v)
	var small bytes.Buffer
	if err == nil {
		err = json.Compact(&small, b)
	}
	if err != nil {
		return nil, &tidemark.Error{Code: tidemark.CodeUsage, Op: op, Err: err, Msg: "it cannot be written as JSON"}
	}
	if small.Len() > most {
		return nil, &tidemark.Error{
			Code: tidemark.CodeTooLarge, Op: op, Msg: fmt.Sprintf("%d bytes of JSON are too many, %d are the most", small.Len(), most),
			Hint: "put what is large into a table",
		}
	}
	return small.Bytes(), nil
}
