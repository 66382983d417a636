package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/internal/meta"
)

func die(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// sqlTool is any SQLite shell: sql FILE STATEMENT..., results with | between
// columns. -make makes the file; -blind switches the file's triggers off, as a
// program that defeats capture would; -dump writes everything that is the
// user's, in a form that two equal databases share.
func sqlTool() {
	blind := flag.Bool("blind", false, "")
	create := flag.Bool("make", false, "")
	dump := flag.Bool("dump", false, "")
	flag.Parse()
	db, err := lite.Open(flag.Arg(0), lite.Options{Create: *create})
	die(err)
	die(db.AllowQuotedStrings()) // as most programs do
	die(db.SetTriggers(!*blind))
	if *dump {
		die(dumpAll(db))
	}
	for _, sql := range flag.Args()[1:] {
		if *create {
			die(db.Script(sql))
			continue
		}
		die(db.Each(sql, printRow))
	}
	die(db.Close())
}

// scriptTool is script FILE SCRIPT: runs a file of statements as one program would.
func scriptTool() {
	b, err := os.ReadFile(os.Args[2])
	die(err)
	db, err := lite.Open(os.Args[1], lite.Options{Create: true})
	die(err)
	die(db.AllowQuotedStrings())
	die(db.Script(string(b)))
	die(db.Close())
}

// noiseTool makes a file that looks like an encrypted database.
func noiseTool() {
	b := make([]byte, 8192)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b)
	die(os.WriteFile(os.Args[1], b, 0o644))
}

func printRow(s *lite.Stmt) error {
	var cells []string
	for _, v := range s.Row(0) {
		if text := v.Str(); text != "" {
			cells = append(cells, text)
		} else {
			cells = append(cells, v.String())
		}
	}
	_, err := fmt.Println(strings.Join(cells, "|"))
	return err
}

func dumpAll(db *lite.DB) error {
	var tables []string
	err := db.Each("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type, name", func(s *lite.Stmt) error {
		if meta.Own(s.Text(1)) || strings.HasPrefix(s.Text(1), "sqlite_") {
			return nil
		}
		fmt.Println(s.Text(2) + ";")
		if s.Text(0) == "table" {
			tables = append(tables, s.Text(1))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range tables {
		var rows []string
		err := db.Each("SELECT * FROM "+lite.Quote(t), func(s *lite.Stmt) error {
			var b strings.Builder
			for _, v := range s.Row(0) {
				b.WriteString(v.String() + "|")
			}
			rows = append(rows, t+": "+b.String())
			return nil
		})
		if err != nil {
			return err
		}
		slices.Sort(rows)
		fmt.Println(strings.Join(rows, "\n"))
	}
	return nil
}

// jsonTool prints parts of the JSON document on standard input, each named by
// a path such as rejected.0.code; "keys" at the end lists an object's keys,
// "len" counts.
func jsonTool() {
	d := json.NewDecoder(os.Stdin)
	d.UseNumber()
	var doc any
	die(d.Decode(&doc))
	if d.More() {
		die(fmt.Errorf("more than one document"))
	}
	for _, path := range os.Args[1:] {
		part, err := at(doc, strings.Split(path, "."))
		die(err)
		switch part.(type) {
		case string, json.Number:
			fmt.Println(part)
		default:
			b, err := json.Marshal(part)
			die(err)
			fmt.Println(string(b))
		}
	}
}

// getTool is get [-origin ORIGIN] URL: asks for a page as a browser does, and
// prints status, headers and body, or with -body the body alone.
func getTool() {
	origin := flag.String("origin", "", "")
	body := flag.Bool("body", false, "")
	flag.Parse()
	req, err := http.NewRequest(http.MethodGet, flag.Arg(0), nil)
	die(err)
	if *origin != "" {
		req.Header.Set("Origin", *origin)
	}
	resp, err := http.DefaultClient.Do(req)
	die(err)
	if !*body {
		fmt.Println(resp.Status)
		die(resp.Header.Write(os.Stdout))
	}
	_, err = io.Copy(os.Stdout, resp.Body)
	die(err)
	die(resp.Body.Close())
}

func keys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func at(doc any, path []string) (any, error) {
	for _, word := range path {
		switch d := doc.(type) {
		case map[string]any:
			if word == "keys" {
				return keys(d), nil
			}
			part, ok := d[word]
			if !ok {
				return nil, fmt.Errorf("no %s in %v", word, keys(d))
			}
			doc = part
		case []any:
			if word == "len" {
				return json.Number(strconv.Itoa(len(d))), nil
			}
			i, err := strconv.Atoi(word)
			if err != nil || i >= len(d) {
				return nil, fmt.Errorf("no item %s of %d", word, len(d))
			}
			doc = d[i]
		default:
			return nil, fmt.Errorf("%s: nothing below %v", word, doc)
		}
	}
	return doc, nil
}

// proxyTool passes connections on and cuts each after -cut bytes from the
// server (0: never), or lets nothing more through and makes the -stalled
// file. After -conns connections (0: no limit) it takes no more.
func proxyTool() {
	listen := flag.String("listen", "127.0.0.1:0", "")
	target := flag.String("target", "", "")
	ready := flag.String("ready", "", "")
	cut := flag.Int64("cut", 0, "")
	conns := flag.Int("conns", 0, "")
	stalled := flag.String("stalled", "", "")
	flag.Parse()
	l, err := net.Listen("tcp", *listen)
	die(err)
	die(os.WriteFile(*ready, []byte(l.Addr().String()), 0o644))
	endByInterrupt()
	for n := 1; ; n++ {
		c, err := l.Accept()
		die(err)
		if *conns > 0 && n > *conns {
			_ = c.Close()
			continue
		}
		go pass(c, *target, *cut, *stalled)
	}
}

// endByInterrupt has a tool that serves end well when its script says so.
func endByInterrupt() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	go func() {
		<-stop
		os.Exit(0)
	}()
}

func pass(c net.Conn, target string, cut int64, stalled string) {
	defer func() { _ = c.Close() }()
	up, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer func() { _ = up.Close() }()
	go func() {
		_, _ = io.Copy(up, c)
		_ = up.Close()
	}()
	if cut > 0 {
		if n, _ := io.CopyN(c, up, cut); n == cut && stalled != "" {
			die(os.WriteFile(stalled, nil, 0o644))
			select {}
		}
		return
	}
	_, _ = io.Copy(c, up)
}
