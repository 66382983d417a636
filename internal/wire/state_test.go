package wire

import (
	"math"
	"testing"

	"github.com/tidemarkdb/tidemark"
)

func TestStateRoundTrip(t *testing.T) {
	want := tidemark.SpaceState{
		Space: "grüße \"𝄞\" \u2028", Incarnation: "i", Term: "t", Head: 1<<53 + 1, Sum: math.MaxUint64, SchemaHash: "s",
		DigestKey: [16]byte{1, 15: 255},
	}
	text := FormatState(want)
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			t.Fatalf("a header cannot hold %q", text)
		}
	}
	if got, err := ParseState(text); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "{}", `{"sum":"-1"}`, `{"sum":"1","digest_key":"00"}`, `{"sum":1}`} {
		if st, err := ParseState(bad); err == nil {
			t.Errorf("%s read as %+v", bad, st)
		}
	}
}
