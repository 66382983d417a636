package literal

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	_ "github.com/tidemarkdb/tidemark/internal/dice"
)

func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		b := Append([]byte("head"), s)
		var theirs string
		if err := json.Unmarshal(b[4:], &theirs); err != nil || theirs != s {
			t.Fatalf("%q is %s, read elsewhere as %q, %v", s, b[4:], theirs, err)
		}
		got, end, err := Read(string(b)+"tail", 5)
		if err != nil || got != s || end != len(b) {
			t.Fatalf("%q is %s, read as %q to %d, %v", s, b[4:], got, end, err)
		}
	})
}

func TestEscapesOfOthersAreRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		b.WriteByte('"')
		for _, piece := range rapid.SliceOf(rapid.SampledFrom([]string{
			"a", "é", "😀", `\"`, `\\`, `\/`, `\b`, `\f`, `\n`, `\r`, `\t`, `\u0041`, `\u00e9`, `\uD83D\uDE00`, `\u0000`,
		})).Draw(t, "pieces") {
			b.WriteString(piece)
		}
		b.WriteByte('"')
		var want string
		if err := json.Unmarshal([]byte(b.String()), &want); err != nil {
			t.Fatal(err)
		}
		if got, end, err := Read(b.String(), 1); err != nil || got != want || end != b.Len() {
			t.Fatalf("%s is %q to %d, %v; want %q", b.String(), got, end, err, want)
		}
	})
}

func TestOnlyWhatJSONDemandsIsEscaped(t *testing.T) {
	got := string(Append(nil, "a/b<&>\u2028é\x7f\"\\\n\r\t\b\x00\x1f"))
	want := "\"a/b<&>\u2028é\x7f" + `\"\\\n\r\t\u0008\u0000\u001f"`
	if got != want {
		t.Fatalf("%s, want %s", got, want)
	}
}

func TestWhatIsNoString(t *testing.T) {
	for _, c := range []struct {
		in string
		at int
		is error
	}{
		{`"`, 1, errEnd},
		{`"ab`, 3, errEnd},
		{`"a\`, 2, errEnd},
		{`"\n`, 3, errEnd},
		{"\"a\nb\"", 2, errControl},
		{"\"\\n\x01\"", 3, errControl},
		{"\"a\xff\"", 3, errUTF8},
		{"\"\\n\xff\"", 4, errUTF8},
		{`"\x41"`, 1, errEscape},
		{`"\u12"`, 1, errDigits},
		{`"\u+123"`, 1, errDigits},
		{`"\u00_1"`, 1, errDigits},
		{`"\ud83d"`, 7, errDigits},
		{`"\ud83dx\ude00"`, 7, errDigits},
		{`"\ud83d\u0041"`, 13, errHalf},
		{`"\ude00"`, 7, errHalf},
	} {
		if text, at, err := Read(c.in, 1); !errors.Is(err, c.is) || at != c.at || text != "" {
			t.Errorf("%q: %q, at %d: %v; want %v at %d", c.in, text, at, err, c.is, c.at)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`"a\u00e9\ud83d\ude00"`)
	f.Add("\"\xff\"")
	f.Fuzz(func(t *testing.T, in string) {
		if in == "" || in[0] != '"' {
			return
		}
		text, end, err := Read(in, 1)
		if end < 1 || end > len(in) {
			t.Fatalf("%q ends at %d", in, end)
		}
		if err != nil {
			return
		}
		var want string
		if json.Unmarshal([]byte(in[:end]), &want) != nil || want != text || !utf8.ValidString(text) {
			t.Fatalf("%q is %q, elsewhere %q", in[:end], text, want)
		}
	})
}
