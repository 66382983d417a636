-- A project tracker. Keys are texts that every copy can make by itself, so that
-- no two copies choose the same.

CREATE TABLE person (
  id    TEXT PRIMARY KEY NOT NULL DEFAULT (lower(hex(randomblob(16)))),
  name  TEXT NOT NULL UNIQUE CHECK (length(trim(name)) > 0),
  hue   INTEGER NOT NULL DEFAULT 200 CHECK (hue BETWEEN 0 AND 359)
);

CREATE TABLE board (
  id      TEXT PRIMARY KEY NOT NULL DEFAULT (lower(hex(randomblob(16)))),
  name    TEXT NOT NULL CHECK (length(trim(name)) > 0),
  rank    TEXT NOT NULL DEFAULT 'V',
  made_by TEXT REFERENCES person (id) ON DELETE SET NULL
);

-- Who is on a board sees it; what else he may do there says his role.
CREATE TABLE member (
  board_id  TEXT NOT NULL REFERENCES board (id) ON DELETE CASCADE,
  person_id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
  role      TEXT NOT NULL DEFAULT 'editor' CHECK (role IN ('owner', 'editor', 'viewer')),
  PRIMARY KEY (board_id, person_id)
);
CREATE INDEX member_by_person ON member (person_id);

CREATE TABLE task (
  id          TEXT PRIMARY KEY NOT NULL DEFAULT (lower(hex(randomblob(16)))),
  board_id    TEXT NOT NULL REFERENCES board (id) ON DELETE CASCADE,
  title       TEXT NOT NULL CHECK (length(trim(title)) > 0),
  state       TEXT NOT NULL DEFAULT 'todo' CHECK (state IN ('todo', 'doing', 'done')),
  rank        TEXT NOT NULL DEFAULT 'V', -- fractional: between any two there is room for a third
  votes       INTEGER NOT NULL DEFAULT 0,
  labels      TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(labels)),
  notes       TEXT NOT NULL DEFAULT '',
  due         TEXT CHECK (due IS NULL OR due = date(due)),
  assignee_id TEXT REFERENCES person (id) ON DELETE SET NULL,
  created_at  TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
);
CREATE INDEX task_by_board ON task (board_id, state, rank);

CREATE TABLE comment (
  id         TEXT PRIMARY KEY NOT NULL DEFAULT (lower(hex(randomblob(16)))),
  task_id    TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE,
  author_id  TEXT REFERENCES person (id) ON DELETE SET NULL,
  body       TEXT NOT NULL CHECK (length(trim(body)) > 0),
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
);
CREATE INDEX comment_by_task ON comment (task_id, created_at);
