package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tidemarkdb/tidemark"
	"github.com/tidemarkdb/tidemark/client"
)

func TestWords(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{size(0), "0 B"}, {size(999), "999 B"}, {size(1000), "1.0 KiB"}, {size(1 << 20), "1.0 MiB"}, {size(5 << 40), "5.0 TiB"}, {size(1 << 62), "4194304.0 TiB"},
		{grouped(0), "0"}, {grouped(999), "999"}, {grouped(1000), "1,000"}, {grouped(-1234567), "-1,234,567"}, {grouped(-123), "-123"},
		{plural(1, "row"), "1 row"}, {plural(0, "row"), "0 rows"}, {plural(int64(1500), "row"), "1,500 rows"},
		{ago(0, 5), "never"}, {ago(5000, 5400), "just now"}, {ago(5000, 4000), "just now"}, {ago(1, 59_001), "59s ago"},
		{ago(1, 60_001), "1m ago"}, {ago(1, 7_200_001), "2h ago"}, {ago(1, 3*86_400_000+1), "3 days ago"},
		{clock(0), "-"},
		{quoteArg("a.db"), "a.db"}, {quoteArg("my file.db"), "'my file.db'"}, {quoteArg("it's"), `'it'\''s'`}, {quoteArg(""), "''"}, {quoteArg("-x"), "./-x"},
		{quoteArg("$(reboot)"), "'$(reboot)'"}, {quoteArg("tide🌊"), "'tide🌊'"},
		{spaceName("/data/shop.sqlite"), "shop"}, {spaceName("shop"), "shop"},
		{oneLine("a\nb\r\nc"), "a; b; c"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

func TestLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:7420": true, "127.9.9.9:1": true, "localhost:0": true, "[::1]:7420": true,
		"0.0.0.0:7420": false, ":7420": false, "[::]:7420": false, "192.168.0.1:7420": false, "example.com:7420": false,
	} {
		if got := loopback(address); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

func TestBarStaysOnOneLine(t *testing.T) {
	for _, p := range []client.Progress{
		{Stage: "prepare"},
		{Stage: "download", Bytes: 10},
		{Stage: "download", Bytes: 1 << 20, Total: 1 << 30, Left: 90 * time.Second},
		{Stage: "install", Bytes: 1 << 31, Total: 1 << 30, Rows: 1 << 40},
	} {
		line := barLine(p)
		if n := len([]rune(line)); n > 100 || strings.ContainsAny(line, "\r\n") {
			t.Errorf("%d characters: %s", n, line)
		}
	}
	if got := barLine(client.Progress{Stage: "download", Bytes: 512, Total: 1024}); !strings.Contains(got, " 50 %") {
		t.Error(got)
	}
}

func TestFailuresKnowTheirExit(t *testing.T) {
	s := newShell(context.Background())
	for _, c := range []struct {
		err  error
		exit int
		hint bool
	}{
		{errors.New("plain"), exitError, false},
		{&tidemark.Error{Code: tidemark.CodeOffline}, exitOffline, true},
		{fmt.Errorf("sync: %w", &tidemark.Error{Code: tidemark.CodeViolations, Hint: "mend"}), exitRefused, true},
		{errors.Join(&tidemark.Error{Code: tidemark.CodeUsage}, errors.New("close")), exitUsage, false},
		{&ending{exit: exitRejected, code: "rejected", msg: "x", hint: "y"}, exitRejected, true},
	} {
		f := s.failure(c.err)
		if f.Exit != c.exit || (f.Hint != "") != c.hint || f.Code == "" || f.Message == "" {
			t.Errorf("%v became %+v", c.err, f)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if f := newShell(ctx).failure(context.Canceled); f.Exit != exitInterrupted {
		t.Errorf("an interrupt became %+v", f)
	}
}

func TestDescribe(t *testing.T) {
	sch := &tidemark.Schema{Tables: []*tidemark.Table{{ID: 1, Name: "we ird", Columns: []tidemark.Column{{Name: "a"}, {Name: "b"}}, Key: []int{0}}}}
	key := []tidemark.Value{tidemark.Int(7)}
	for _, c := range []struct {
		change tidemark.Change
		want   string
	}{
		{tidemark.Change{Table: 1, Op: tidemark.Delete, Key: key}, "delete we ird 7"},
		{tidemark.Change{Table: 1, Op: tidemark.Update, Key: key, Cols: []int{1}, New: []tidemark.Value{tidemark.Text("x\x1b[31m")}, Old: []tidemark.Value{tidemark.Null}},
			"update we ird 7: b = 'x·[31m' (was NULL)"},
		{tidemark.Change{Table: 1, Op: tidemark.Insert, Key: key, New: []tidemark.Value{tidemark.Int(7), tidemark.Real(1)}}, "insert we ird 7: a = 7, b = 1.0"},
		{tidemark.Change{Table: 9, Op: tidemark.Update, Key: append(key, tidemark.Blob([]byte{1})), Cols: []int{4}, New: []tidemark.Value{tidemark.Null}},
			"update table 9 (7, x'01'): column 4 = NULL"},
	} {
		if got := describe(sch, c.change); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	for body, want := range map[tidemark.Edit]string{
		{Kind: tidemark.EditAdd, Body: "3"}:                                           "b += 3",
		{Kind: tidemark.EditAdd, Body: "-2.5"}:                                        "b -= 2.5",
		{Kind: tidemark.EditText, Body: `{"s":[[5,2,"xy"]],"after":3}`}:               "b at 5 -2 +'xy'",
		{Kind: tidemark.EditText, Body: `{"s":[[0,1,"","q"],[9,0,"z"]]}`}:             "b at 0 -'q', at 9 +'z'",
		{Kind: tidemark.EditMembers, Body: `[["red",1],["blue"]]`}:                    `b +"red", +1, -"blue"`,
		{Kind: tidemark.EditMembers, Body: `[[1,2,3,4],[],"[1,2,3,4]"]`}:              "b +1, +2, +3, 1 more",
		{Kind: tidemark.EditKeys, Body: `[[["a","b"],[1],[{"c":2}]],[["d"],[1],[]]]`}: `b .a.b = {"c":2}, -.d`,
		{Kind: tidemark.EditKeys, Body: `{}`}:                                         "b edited by {}",
		{Kind: tidemark.EditText, Body: `nonsense`}:                                   "b edited by nonsense",
	} {
		c := tidemark.Change{Table: 1, Op: tidemark.Update, Key: key, Cols: []int{1}, New: []tidemark.Value{tidemark.Null},
			Old: []tidemark.Value{tidemark.Null}, Edits: []tidemark.Edit{body}}
		if got := describe(sch, c); got != "update we ird 7: "+want {
			t.Errorf("got %q, want %q", got, want)
		}
		if e := named(sch, []tidemark.Change{c})[0].Edits; len(e) != 1 || string(e[0].Body) != body.Body || e[0].Kind == "" {
			t.Errorf("in JSON %+v", e)
		}
	}
	long := tidemark.Change{Table: 1, Op: tidemark.Insert, Key: key, New: []tidemark.Value{tidemark.Int(7), tidemark.Text(strings.Repeat("é", 1000))}}
	if got := describe(sch, long); len([]rune(got)) > 120 {
		t.Errorf("%d characters", len([]rune(got)))
	}
}
