package policy

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

const schemaFile = "../../spec/tidemark.schema.json"

// published returns the published JSON Schema, and its document.
func published(t *testing.T) (*jsonschema.Schema, map[string]any) {
	t.Helper()
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("tidemark.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("tidemark.json")
	if err != nil {
		t.Fatal(err)
	}
	return s, doc.(map[string]any)
}

// valid asks the JSON Schema what an editor would say of a file.
func valid(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	js, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(js))
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s.Validate(v)
}

// part walks down a JSON document.
func part(t *testing.T, doc any, path ...string) any {
	t.Helper()
	for _, key := range path {
		m, ok := doc.(map[string]any)
		if !ok || m[key] == nil {
			t.Fatalf("the JSON Schema has no %s", strings.Join(path, "."))
		}
		doc = m[key]
	}
	return doc
}

func strs(list any) []string {
	var out []string
	for _, v := range list.([]any) {
		out = append(out, v.(string))
	}
	return out
}

func sameWords[T ~string](t *testing.T, what string, published []string, read []T) {
	t.Helper()
	var words []string
	for _, w := range read {
		words = append(words, string(w))
	}
	slices.Sort(words)
	slices.Sort(published)
	if !slices.Equal(words, published) {
		t.Errorf("%s: published %v, read %v", what, published, words)
	}
}

func sameKeys[D any](t *testing.T, what string, published any, entries []entry[D]) {
	t.Helper()
	var keys, names []string
	for key := range published.(map[string]any) {
		keys = append(keys, key)
	}
	for _, e := range entries {
		names = append(names, e.key)
	}
	sameWords(t, what, keys, names)
}

func TestSchemaAndReaderKnowTheSameWords(t *testing.T) {
	_, doc := published(t)
	sameKeys(t, "file", part(t, doc, "properties"), fileEntries)
	table := part(t, doc, "$defs", "table", "properties")
	sameKeys(t, "table", table, tableEntries)
	sameKeys(t, "group", part(t, doc, "$defs", "group", "properties"), groupEntries)
	rule := part(t, doc, "$defs", "rule", "oneOf").([]any)
	sameKeys(t, "rule", part(t, rule[1], "properties"), ruleEntries)
	sameKeys(t, "on_unique", part(t, part(t, table, "on_unique", "oneOf").([]any)[1], "properties"), uniqueEntries)

	sameKeys(t, "scope", part(t, doc, "$defs", "scope", "properties"), scopeEntries)
	member := part(t, doc, "$defs", "member", "oneOf").([]any)
	sameKeys(t, "member", part(t, member[1], "properties"), memberEntries)

	sameWords(t, "policy of a table", strs(part(t, table, "policy", "enum")), tablePolicies)
	sameWords(t, "policy of a column", append(strs(part(t, rule[0], "enum")), "custom"), columnPolicies)
	sameWords(t, "policy in a mapping", strs(part(t, rule[1], "properties", "policy", "enum")), columnPolicies)
	sameWords(t, "policy of a group", strs(part(t, doc, "$defs", "group", "properties", "policy", "enum")), groupPolicies)
	sameWords(t, "on_delete", strs(part(t, table, "on_delete", "enum")), rowPolicies)
	sameWords(t, "on_insert", strs(part(t, table, "on_insert", "enum")), insertPolicies)
	sameWords(t, "keep", strs(part(t, table, "keep", "enum")), keeps)
}

// TestSchemaAgreesWithReader holds both against files of every kind.
func TestSchemaAgreesWithReader(t *testing.T) {
	s, _ := published(t)
	for _, text := range []string{
		full, "", "tables:\n", "tables: {}\n", "tables: {t: }\n",
		"tables: {t: {columns: {a: text, b: {policy: counter}}}}",
		"tables: {t: {on_unique: reject, references: {}, groups: []}}",
		"tables: {1: {columns: {2: text}, groups: [{columns: [3, x]}]}}",
		"scopes: {p: {grant: none, tables: {t: a}}}", "scopes: {p-1_X: {grant: public, tables: {t: all, 1: {by: all, where: 1}}}}",
		"scopes: {p: {grant: SELECT 1, tables: {t: a.b.c, u: {by: 7, where: x = 1}}}}",
	} {
		if _, err := Parse([]byte(text), "f"); err != nil {
			t.Errorf("%q is not read: %v", text, err)
		}
		if err := valid(t, s, text); err != nil {
			t.Errorf("%q is not valid: %v", text, err)
		}
	}
	for _, text := range []string{
		"hello", "table: {}", "tables: []", "tables: {t: 5}", "tables: {t: {polcy: text}}", "tables: {t: {policy: custom}}x",
		"tables: {t: {policy: }}", "tables: {t: {policy: {policy: text}}}", "tables: {t: {columns: {a: append-only}}}",
		"tables: {t: {columns: {a: custom}}}", "tables: {t: {columns: {a: {policy: custom}}}}", "tables: {t: {columns: {a: {function: f}}}}",
		"tables: {t: {columns: {a: {policy: text, function: f}}}}", "tables: {t: {columns: {a: {}}}}", "tables: {t: {columns: {a: }}}",
		"tables: {t: {groups: {}}}", "tables: {t: {groups: [{columns: [a]}]}}", "tables: {t: {groups: [{policy: manual}]}}",
		"tables: {t: {groups: [{columns: [a, b], policy: counter}]}}", "tables: {t: {on_delete: reject}}", "tables: {t: {on_insert: both}}",
		"tables: {t: {on_unique: rename}}", "tables: {t: {on_unique: {}}}", "tables: {t: {on_unique: {fn: x}}}",
		"tables: {t: {references: {a: cascade}}}", "tables: {t: {keep: all}}", "tables: {t: {keep_for: 30}}", "tables: {t: {keep_for: 1 day}}",
		"scopes:", "scopes: {}", "scopes: []", "scopes: {p: }", "scopes: {p: public}", "scopes: {all: {grant: public, tables: {t: all}}}",
		"scopes: {p q: {grant: none, tables: {t: a}}}", "scopes: {1: {grant: none, tables: {t: a}}}", "scopes: {p: {tables: {t: a}}}",
		"scopes: {p: {grant: , tables: {t: a}}}", "scopes: {p: {grant: none}}", "scopes: {p: {grant: none, tables: {}}}",
		"scopes: {p: {grant: none, tables: {t: }}}", "scopes: {p: {grant: none, tables: {t: {where: a}}}}",
		"scopes: {p: {grant: none, tables: {t: {by: a, were: a}}}}", "scopes: {p: {grant: none, tables: {t: [a, b]}}}", "scopes: {p: {by: a, tables: {t: a}}}",
		"tables: {t: {max_skew: -5m}}", "tables: {t: {lease: 5}}", "tables: {t: {lease: 1001}}", "tables: {t: {lease: many}}",
	} {
		if _, err := Parse([]byte(text), "f"); err == nil {
			t.Errorf("%q is read", text)
		}
		if err := valid(t, s, text); err == nil {
			t.Errorf("%q is valid", text)
		}
	}
}

// yamlBlock finds the YAML in Markdown, and the .yaml files of test scripts.
var yamlBlock = regexp.MustCompile("(?ms)^```ya?ml[^\n]*\n(.*?)^```|^-- (\\S+\\.yaml) --\n(.*?)(?:^-- |\\z)")

// TestEveryExampleIsValid holds every tidemark.yaml that the documents and the
// scripts show against the JSON Schema and the reader.
func TestEveryExampleIsValid(t *testing.T) {
	s, _ := published(t)
	found := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".md", ".yaml", ".txtar"}, filepath.Ext(path)) {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, example := range examples(path, string(text)) {
			found++
			if _, err := Parse([]byte(example), path); err != nil {
				t.Errorf("%s:\n%s\n%v", path, example, err)
			}
			if err := valid(t, s, example); err != nil {
				t.Errorf("%s:\n%s\n%v", path, example, err)
			}
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Errorf("%d examples found, %v", found, err)
	}
}

// examples returns what of a file declares policies. Files of scripts whose
// name says that they are wrong are meant to be.
func examples(path, text string) []string {
	var all []string
	add := func(s string) {
		if strings.HasPrefix(strings.TrimSpace(s), "tables:") || strings.Contains(s, "\ntables:") || strings.HasPrefix(strings.TrimSpace(s), "rules:") || strings.HasPrefix(strings.TrimSpace(s), "scopes:") {
			all = append(all, s)
		}
	}
	if strings.HasSuffix(path, FileName) {
		add(text)
	}
	for {
		m := yamlBlock.FindStringSubmatchIndex(text)
		if m == nil {
			return all
		}
		if m[2] >= 0 {
			add(text[m[2]:m[3]])
			text = text[m[1]:]
			continue
		}
		if !strings.HasPrefix(text[m[4]:m[5]], "wrong") {
			add(text[m[6]:m[7]])
		}
		text = text[m[7]:]
	}
}
