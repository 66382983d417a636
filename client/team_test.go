package client

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/tidemarkdb/tidemark/internal/lite"
	"github.com/tidemarkdb/tidemark/server"
)

const teamSQL = `
CREATE TABLE project (id TEXT PRIMARY KEY NOT NULL, name TEXT NOT NULL);
CREATE TABLE member (project TEXT NOT NULL REFERENCES project (id) ON DELETE CASCADE, person TEXT NOT NULL, PRIMARY KEY (person, project));
CREATE TABLE task (id INTEGER PRIMARY KEY, project TEXT REFERENCES project (id) ON DELETE CASCADE, title TEXT NOT NULL, assignee TEXT);
CREATE INDEX task_project ON task (project);
CREATE TABLE comment (id INTEGER PRIMARY KEY, task INTEGER NOT NULL REFERENCES task (id) ON DELETE CASCADE, body TEXT NOT NULL);
CREATE INDEX comment_task ON comment (task);
INSERT INTO project VALUES ('site', 'New site'), ('van', 'Repair the van'), ('bare', 'Nothing yet');
INSERT INTO member VALUES ('site', 'ana'), ('site', 'bo'), ('van', 'bo');
INSERT INTO task VALUES (1, 'site', 'Draw', 'ana'), (2, 'site', 'Buy', NULL), (3, 'van', 'Oil', 'bo'), (4, 'van', 'Tyres', NULL), (5, NULL, 'Of nobody', NULL);
INSERT INTO comment VALUES (1, 1, 'in blue?'), (2, 2, 'which?'), (3, 3, 'done'), (4, 4, 'new ones');
`

const teamScopes = `
rules: { default: public }
scopes:
  project:
    grant: SELECT project FROM member WHERE person = :user
    tables: { project: id, member: project, task: project, comment: task.project }
  mine: { grant: "SELECT :user", tables: { task: assignee } }
`

// team serves a space with scopes. Tokens are opaque-NAME.
func team(t testing.TB) *service {
	t.Helper()
	s := serve(t)
	s.stop()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tidemark.yaml"), []byte(teamScopes), 0o600); err != nil {
		t.Fatal(err)
	}
	s.file = filepath.Join(dir, "shop.sqlite")
	db, err := lite.Open(s.file, lite.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Script(teamSQL); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s.guard()
	return s
}

// guard starts the server of a team.
func (s *service) guard() {
	s.t.Helper()
	srv, err := server.Open(s.file, server.Options{Auth: opaque{}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.srv = srv
	s.through(srv)
}

// run writes into the served file.
func (s *service) run(sql string) {
	s.t.Helper()
	db, err := lite.Open(s.file, lite.Options{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer db.Close()
	if err := db.Run(sql); err != nil {
		s.t.Fatal(err)
	}
}

// scoped makes a copy that takes some scopes, or all when none is given.
func (s *service) scoped(who string, o Options, scopes ...Want) *DB {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), who+".db")
	token := StaticToken("opaque-" + who)
	if err := Clone(s.t.Context(), s.address(), path, CloneOptions{Token: token, Scopes: scopes}); err != nil {
		s.t.Fatal(err)
	}
	o.Token = token
	return open(s.t, path, o)
}

// holds compares the tasks of a copy.
func holds(t testing.TB, db *DB, want string) {
	t.Helper()
	if got := mustQuery(t, db, "SELECT group_concat(id, ' ') FROM (SELECT id FROM task ORDER BY id)"); got != "'"+want+"'" && (want != "" || got != "NULL") {
		t.Errorf("tasks %s, want %s", got, want)
	}
}

// standing writes the scopes of a copy as words.
func standing(t testing.TB, db *DB) string {
	t.Helper()
	list, err := db.Scopes()
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, s := range list {
		word := fmt.Sprintf("%s %d", s.Scope, s.Rows)
		for _, f := range []struct {
			is   bool
			text string
		}{{s.Ready, " ready"}, {s.Listed, " listed"}, {s.Wanted, " wanted"}} {
			if f.is {
				word += f.text
			}
		}
		words = append(words, word)
	}
	return strings.Join(words, "; ")
}

// collected keeps the news of scopes.
type collected struct {
	mu   sync.Mutex
	news []string
}

func (c *collected) hear(ev Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ev.Left != nil {
		c.news = append(c.news, fmt.Sprint("left ", ev.Left))
	}
	if ev.Scope == nil {
		return
	}
	text := fmt.Sprintf("%s %s %d", ev.Scope.Scope, ev.Scope.State, ev.Scope.Rows)
	if ev.Scope.Unwanted {
		text += " unwanted"
	}
	c.news = append(c.news, text)
}

func (c *collected) has(text string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(c.news, text)
}
