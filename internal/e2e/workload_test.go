package e2e

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// writer makes random transactions as SQL text, so that any program can run them.
type writer struct {
	rng  *rand.Rand
	name string
	n    int
}

// transaction returns the statements of one transaction. The first inserts the
// audit row by which the transaction can be found again.
func (w *writer) transaction() (audit string, statements []string) {
	w.n++
	audit = fmt.Sprintf("%s-%06d.", w.name, w.n)
	statements = []string{fmt.Sprintf("INSERT INTO audit VALUES ('%s', '%s')", audit, w.name)}
	statements = append(statements, w.traces(audit)...)
	for range 1 + w.rng.IntN(4) {
		statements = append(statements, w.statement())
	}
	return audit, statements
}

// traces are what the transaction leaves where others do as well: it counts
// itself, now and then joins a set and a text, and takes a slot, of which it
// notes whom it saw there.
func (w *writer) traces(audit string) []string {
	list := []string{fmt.Sprintf("UPDATE tally SET n = n + 1 WHERE id = %d", 1+w.rng.IntN(3))}
	if w.n%13 == 1 {
		list = append(list, fmt.Sprintf("UPDATE tally SET members = json_insert(members, '$[#]', '%s') WHERE id = %d", audit, 1+w.rng.IntN(3)))
	}
	if w.n%17 == 1 {
		mark := fmt.Sprintf("char(%d)", markOf(audit))
		list = append(list, fmt.Sprintf("UPDATE tally SET note = %s WHERE id = %d", w.pick("note || "+mark, mark+" || note"), 1+w.rng.IntN(3)))
	}
	if slot := 1 + w.rng.IntN(4); w.n%3 == 1 {
		list = append(list, fmt.Sprintf("INSERT INTO took SELECT '%s', holder FROM slot WHERE id = %d", audit, slot),
			fmt.Sprintf("UPDATE slot SET holder = '%s' WHERE id = %d", audit, slot))
	}
	return list
}

// markOf is the character that a transaction leaves in a text: each has its
// own. Words would not do, since two that begin alike can come out interleaved.
func markOf(audit string) rune {
	var w, round, n rune
	_, _ = fmt.Sscanf(audit, "w%d.%d-%d.", &w, &round, &n)
	return 0x4e00 + (w*10+round)*200 + n/17
}

// joins reports whether the transaction of an audit id joined a set and a text.
func joins(audit string) (set, text bool) {
	_, n, _ := strings.Cut(strings.TrimSuffix(audit, "."), "-")
	i, _ := strconv.Atoi(n)
	return i%13 == 1, i%17 == 1
}

func (w *writer) statement() string {
	makers := []func() string{w.one, w.plain, w.odd, w.pair, w.strict, w.claim, w.node, w.leaf, w.gen, w.film, w.guard, w.note, w.wide}
	return makers[w.rng.IntN(len(makers))]()
}

// id returns a key that collides with others now and then, or one of the writer's own.
func (w *writer) id() int {
	if w.rng.IntN(3) > 0 {
		return w.rng.IntN(60)
	}
	return 1000 + len(w.name)*100_000 + w.rng.IntN(1_000_000)
}

func (w *writer) pick(options ...string) string { return options[w.rng.IntN(len(options))] }

// verb returns a form of INSERT.
func (w *writer) verb() string {
	return w.pick("INSERT OR IGNORE", "INSERT OR IGNORE", "INSERT OR REPLACE", "REPLACE")
}

// value returns any SQL value, the awkward ones more often than in life.
func (w *writer) value() string {
	switch w.rng.IntN(12) {
	case 0:
		return "NULL"
	case 1:
		return w.pick("9223372036854775807", "-9223372036854775808", "9007199254740993", "0")
	case 2:
		return w.pick("9e999", "-9e999", "1.0", "0.1", "-2.5e-300", "1e15")
	case 3:
		return "x'" + w.pick("", "00", "ff00ff", "616263") + "'"
	case 4:
		return "CAST(x'610062' AS TEXT)"
	case 5:
		return w.pick("'it''s'", "'\U0001F9ED'", "''", "' 1'", "'1'", "'ключ'")
	case 6:
		return "zeroblob(" + fmt.Sprint(w.rng.IntN(3000)) + ")"
	}
	return fmt.Sprint(w.rng.IntN(1000))
}

func (w *writer) one() string {
	if w.rng.IntN(3) == 0 {
		return fmt.Sprintf("UPDATE OR REPLACE one SET id = 'i%d' WHERE id = 'i%d'", w.id(), w.id())
	}
	return fmt.Sprintf("%s INTO one VALUES ('i%d')", w.verb(), w.id())
}

func (w *writer) plain() string {
	switch w.rng.IntN(6) {
	case 0:
		return fmt.Sprintf("%s INTO plain (a, b) VALUES (%s, %s)", w.verb(), w.value(), w.value())
	case 1, 2:
		return fmt.Sprintf("%s INTO plain VALUES (%d, %s, %s, %s)", w.verb(), w.id(), w.value(), w.value(), w.value())
	case 3:
		return fmt.Sprintf("UPDATE plain SET %s = %s WHERE id = %d", w.pick("a", "b", "c"), w.value(), w.id())
	case 4:
		return fmt.Sprintf("UPDATE OR IGNORE plain SET id = %d WHERE id = %d", w.id(), w.id())
	}
	return fmt.Sprintf("DELETE FROM plain WHERE id = %d", w.id())
}

func (w *writer) odd() string {
	switch w.rng.IntN(4) {
	case 0:
		return fmt.Sprintf(`%s INTO "sel ect" VALUES ('k%d', %s, %s)`, w.verb(), w.id(), w.value(), w.value())
	case 1:
		return fmt.Sprintf(`UPDATE "sel ect" SET "'ключ'" = %s WHERE "gro""up" = 'k%d'`, w.value(), w.id())
	case 2:
		return fmt.Sprintf(`UPDATE OR REPLACE "sel ect" SET "gro""up" = 'k%d' WHERE "gro""up" = 'k%d'`, w.id(), w.id())
	}
	return fmt.Sprintf(`DELETE FROM "sel ect" WHERE "gro""up" = 'k%d'`, w.id())
}

func (w *writer) pair() string {
	y := w.pick("a", "A", "b", "B", "c")
	switch w.rng.IntN(4) {
	case 0:
		return fmt.Sprintf("%s INTO pair VALUES (%d, '%s', %s)", w.verb(), w.id(), y, w.value())
	case 1:
		return fmt.Sprintf("UPDATE pair SET v = %s WHERE x = %d", w.value(), w.id())
	case 2:
		return fmt.Sprintf("UPDATE OR IGNORE pair SET y = '%s' WHERE x = %d", y, w.id())
	}
	return fmt.Sprintf("DELETE FROM pair WHERE x = %d AND y = '%s'", w.id(), y)
}

func (w *writer) strict() string {
	switch w.rng.IntN(3) {
	case 0:
		return fmt.Sprintf("%s INTO strict1 VALUES (x'%04x', %d, %d.5, 't', %s)", w.verb(), w.id()&0xffff, w.rng.IntN(9), w.rng.IntN(9), w.value())
	case 1:
		return fmt.Sprintf("UPDATE strict1 SET anyv = %s, i = i + 1 WHERE k = x'%04x'", w.value(), w.id()&0xffff)
	}
	return fmt.Sprintf("DELETE FROM strict1 WHERE k = x'%04x'", w.id()&0xffff)
}

func (w *writer) claim() string {
	switch w.rng.IntN(5) {
	case 0, 1:
		return fmt.Sprintf("%s INTO claim (name, slot, day, state) VALUES ('n%d', %d, 'd%d', '%s')", w.verb(), w.id(), w.rng.IntN(20), w.rng.IntN(5), w.pick("new", "old"))
	case 2:
		return fmt.Sprintf("UPDATE OR REPLACE claim SET name = 'n%d' WHERE slot = %d", w.rng.IntN(60), w.rng.IntN(20))
	case 3:
		return fmt.Sprintf("UPDATE OR IGNORE claim SET slot = %d, state = '%s' WHERE name = 'n%d'", w.rng.IntN(20), w.pick("new", "old"), w.id())
	}
	return fmt.Sprintf("DELETE FROM claim WHERE slot = %d", w.rng.IntN(20))
}

func (w *writer) node() string {
	switch w.rng.IntN(5) {
	case 0, 1:
		parent := "NULL"
		if w.rng.IntN(2) == 0 {
			parent = fmt.Sprintf("(SELECT id FROM node ORDER BY id LIMIT 1 OFFSET %d)", w.rng.IntN(20))
		}
		return fmt.Sprintf("INSERT OR IGNORE INTO node VALUES ('o%d', %s, 'l')", w.id(), parent)
	case 2:
		return fmt.Sprintf("UPDATE node SET label = 'l%d' WHERE id = 'o%d'", w.rng.IntN(99), w.id())
	case 3:
		return fmt.Sprintf("UPDATE OR IGNORE node SET id = 'o%d' WHERE id = 'o%d'", w.id(), w.id())
	}
	return fmt.Sprintf("DELETE FROM node WHERE id = 'o%d'", w.id())
}

func (w *writer) leaf() string {
	if w.rng.IntN(3) == 0 {
		return fmt.Sprintf("UPDATE leaf SET n = coalesce(n, 0) + 1 WHERE id = %d", w.id())
	}
	return fmt.Sprintf("INSERT OR IGNORE INTO leaf VALUES (%d, (SELECT id FROM node ORDER BY label, id LIMIT 1 OFFSET %d), %d)", w.id(), w.rng.IntN(20), w.rng.IntN(9))
}

func (w *writer) gen() string {
	if w.rng.IntN(2) == 0 {
		return fmt.Sprintf("INSERT OR REPLACE INTO gen (id, a, b) VALUES (%d, %d, 'B%d')", w.id(), w.rng.IntN(99), w.rng.IntN(99))
	}
	return fmt.Sprintf("UPDATE gen SET a = %d WHERE id = %d", w.rng.IntN(99), w.id())
}

func (w *writer) film() string {
	if w.rng.IntN(3) == 0 {
		return fmt.Sprintf("INSERT OR IGNORE INTO film (id, title) VALUES (%d, 'f')", w.id())
	}
	return fmt.Sprintf("UPDATE film SET title = 'f%d' WHERE id = %d", w.rng.IntN(99), w.id())
}

func (w *writer) guard() string {
	return fmt.Sprintf("INSERT OR IGNORE INTO guard VALUES (%d, %d)", w.id(), w.rng.IntN(50))
}

func (w *writer) note() string {
	return fmt.Sprintf("INSERT OR IGNORE INTO note VALUES (%d, 'n%d')", w.id(), w.rng.IntN(99))
}

func (w *writer) wide() string {
	if w.rng.IntN(3) == 0 {
		return fmt.Sprintf("INSERT OR REPLACE INTO wide (id, c001, c017, c480) VALUES (%d, %s, %s, %s)", w.id(), w.value(), w.value(), w.value())
	}
	var sets []string
	for range 1 + w.rng.IntN(3) {
		sets = append(sets, fmt.Sprintf("c%03d = %s", 1+w.rng.IntN(499), w.value()))
	}
	return fmt.Sprintf("UPDATE wide SET %s WHERE id = %d", dedupe(sets), w.id())
}

// dedupe keeps the first assignment of each column.
func dedupe(sets []string) string {
	seen := map[string]bool{}
	var out []string
	for _, s := range sets {
		if !seen[s[:4]] {
			seen[s[:4]] = true
			out = append(out, s)
		}
	}
	return strings.Join(out, ", ")
}
