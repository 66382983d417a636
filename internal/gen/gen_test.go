package main

import (
	"os"
	"strings"
	"testing"
)

// codes.go and codes.ts must be what spec/errors.json makes of them.
func TestCodesAreUpToDate(t *testing.T) {
	text, err := os.ReadFile("../../spec/errors.json")
	if err != nil {
		t.Fatal(err)
	}
	codes, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	source, err := goSource(codes)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]byte{"codes.go": source, "js/client/src/codes.ts": tsSource(codes)} {
		got, err := os.ReadFile("../../" + path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s is not what spec/errors.json makes of it; run make gen", path)
		}
	}
}

// Every code has its section in the guide, and no section is without a code.
func TestEveryCodeIsExplained(t *testing.T) {
	text, err := os.ReadFile("../../spec/errors.json")
	if err != nil {
		t.Fatal(err)
	}
	codes, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	guide, err := os.ReadFile("../../docs/guide/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for line := range strings.Lines(string(guide)) {
		if name, ok := strings.CutPrefix(line, "### "); ok {
			sections[strings.Trim(name, "`\n")] = true
		}
	}
	for _, c := range codes {
		if !sections[c.Code] {
			t.Errorf("docs/guide/errors.md does not explain %s", c.Code)
		}
		delete(sections, c.Code)
	}
	for name := range sections {
		t.Errorf("docs/guide/errors.md explains %s, which is not a code", name)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no meaning":    `[{"code":"a","kind":"session","do":"x"}]`,
		"no such kind":  `[{"code":"a","kind":"other","meaning":"x","do":"x"}]`,
		"bad code":      `[{"code":"A b","kind":"session","meaning":"x","do":"x"}]`,
		"bad status":    `[{"code":"a","kind":"session","meaning":"x","do":"x","http":200}]`,
		"twice":         `[{"code":"a","kind":"session","meaning":"x","do":"x"},{"code":"a","kind":"session","meaning":"x","do":"x"}]`,
		"unknown field": `[{"code":"a","kind":"session","meaning":"x","do":"x","more":1}]`,
	} {
		if _, err := parse([]byte(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
