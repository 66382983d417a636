-- A project tracker: organisations with members, projects with guests, tasks,
-- comments, and notes that belong to one person alone.

CREATE TABLE organisation (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  owner TEXT NOT NULL -- who made it
);

CREATE TABLE member (
  organisation TEXT NOT NULL REFERENCES organisation (id) ON DELETE CASCADE,
  person TEXT NOT NULL,
  role TEXT NOT NULL CHECK (role IN ('admin', 'editor', 'reader')),
  PRIMARY KEY (organisation, person)
);
CREATE INDEX member_person ON member (person, organisation);

CREATE TABLE project (
  id TEXT PRIMARY KEY NOT NULL,
  organisation TEXT NOT NULL REFERENCES organisation (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  archived INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX project_organisation ON project (organisation);

-- People who were invited to one project, and see nothing else of its organisation.
CREATE TABLE guest (
  project TEXT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
  person TEXT NOT NULL,
  PRIMARY KEY (project, person)
);
CREATE INDEX guest_person ON guest (person, project);

CREATE TABLE task (
  id TEXT PRIMARY KEY NOT NULL,
  project TEXT NOT NULL REFERENCES project (id) ON DELETE CASCADE,
  title TEXT NOT NULL,
  done INTEGER NOT NULL DEFAULT 0,
  assignee TEXT,
  author TEXT,
  changed INTEGER
);
CREATE INDEX task_project ON task (project);

CREATE TABLE comment (
  id TEXT PRIMARY KEY NOT NULL,
  task TEXT NOT NULL REFERENCES task (id) ON DELETE CASCADE,
  body TEXT NOT NULL,
  author TEXT,
  written INTEGER
);
CREATE INDEX comment_task ON comment (task);

CREATE TABLE note (
  id TEXT PRIMARY KEY NOT NULL,
  person TEXT NOT NULL,
  body TEXT NOT NULL
);

INSERT INTO organisation VALUES ('acme', 'Acme', 'ana'), ('bolt', 'Bolt & Sons', 'bob');
INSERT INTO member VALUES
  ('acme', 'ana', 'admin'), ('acme', 'eli', 'editor'), ('acme', 'rex', 'reader'),
  ('bolt', 'bob', 'admin'), ('bolt', 'eli', 'reader');
INSERT INTO project VALUES ('site', 'acme', 'New site', 0), ('old', 'acme', 'Old site', 1), ('van', 'bolt', 'Repair the van', 0);
INSERT INTO guest VALUES ('site', 'gus'), ('van', 'ana');
INSERT INTO task VALUES
  ('t1', 'site', 'Draw the start page', 0, 'eli', 'ana', 1767225600000),
  ('t2', 'site', 'Buy a domain', 1, NULL, 'eli', 1767225600000),
  ('t3', 'old', 'Switch it off', 0, NULL, 'ana', 1767225600000),
  ('t4', 'van', 'Change the oil', 0, 'bob', 'bob', 1767225600000);
INSERT INTO comment VALUES ('c1', 't1', 'In blue?', 'rex', 1767225600000), ('c2', 't4', 'Done on Monday', 'bob', 1767225600000);
INSERT INTO note VALUES ('n1', 'ana', 'Ask for a raise'), ('n2', 'eli', 'Learn to draw');
