package wire

import (
	"testing"

	"github.com/tidemarkdb/tidemark"
)

// Everybody who speaks the protocol knows a beat by these bytes.
func TestABeatIsOutcomesWithoutAny(t *testing.T) {
	if string(Beat) != `["o"]` {
		t.Fatalf("a beat is %s", Beat)
	}
	for text, want := range map[string]bool{
		`["o"]`: true, `["o",[]]`: true, `["o",[[1,"AAAAAAAAAAAAAAAAAAAAAA",1]]]`: false, `["t",0]`: false,
	} {
		m, err := DecodeDown([]byte(text))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if IsBeat(m) != want {
			t.Errorf("%s: a beat: %v", text, !want)
		}
	}
	if IsBeat(nil) || IsBeat(&Outcomes{List: []tidemark.Outcome{{}}}) {
		t.Error("something else is a beat")
	}
}
