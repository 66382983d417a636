package replica

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// kindNames are the events as spec/vectors/loop.json names them.
var kindNames = [kinds]string{
	"start", "connected", "welcome", "schema", "outcomes", "batch", "ranges", "rows",
	"leases", "scopes", "refusal", "garbage", "disconnected", "local", "tick", "rewant", "verify", "hangup",
}

// The table is that of the vectors, by which other languages build theirs.
func TestTableIsThatOfTheVectors(t *testing.T) {
	text, err := os.ReadFile("../../spec/vectors/loop.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name string            `json:"name"`
		In   map[string]string `json:"in"`
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) != kinds {
		t.Fatalf("%d events in the vectors, %d in the table", len(cases), kinds)
	}
	for k, c := range cases {
		here := map[string]string{}
		for s := range State(states) {
			here[s.String()] = nameOf(table[k][s])
		}
		if c.Name != kindNames[k] || !maps.Equal(c.In, here) {
			t.Errorf("%s:\n%v, the vectors say\n%v", kindNames[k], here, c.In)
		}
	}
}

// nameOf is the name of an action's function.
func nameOf(a action) string {
	full := runtime.FuncForPC(reflect.ValueOf(a).Pointer()).Name()
	return full[strings.LastIndexByte(full, '.')+1:]
}
