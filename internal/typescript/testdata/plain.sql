CREATE TABLE project (id INTEGER PRIMARY KEY, name TEXT NOT NULL, created DATETIME DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE task (
  id TEXT PRIMARY KEY NOT NULL, project INTEGER NOT NULL REFERENCES project, title VARCHAR(200) NOT NULL,
  done BOOLEAN NOT NULL DEFAULT 0, rank REAL, photo BLOB, price DECIMAL(10, 2), labels JSON NOT NULL DEFAULT '[]', anything,
  short TEXT GENERATED ALWAYS AS (substr(title, 1, 10)) VIRTUAL, whole TEXT NOT NULL AS (title || id) STORED
);
CREATE TABLE member (project INT, person TEXT, since DATE, PRIMARY KEY (project, person)) WITHOUT ROWID;
CREATE TABLE exact (id INTEGER PRIMARY KEY, what ANY, n INT NOT NULL) STRICT;
CREATE TABLE draft (text TEXT);
CREATE VIEW open_task AS SELECT t.id, t.title, p.name AS project, count(*) AS n FROM task t JOIN project p ON p.id = t.project WHERE NOT done;
CREATE VIRTUAL TABLE search USING fts5(title);
CREATE VIEW broken AS SELECT x FROM nowhere;
