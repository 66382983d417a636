-- What the lab plays with: few rows, and one rule that two people can break
-- together although each keeps it alone.

CREATE TABLE task (
  id     TEXT PRIMARY KEY NOT NULL,
  title  TEXT NOT NULL CHECK (length(trim(title)) > 0),
  votes  INTEGER NOT NULL DEFAULT 0,
  labels TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(labels)),
  notes  TEXT NOT NULL DEFAULT '',
  due    TEXT
);

-- A slot has one holder: it is the key.
CREATE TABLE booking (
  slot   TEXT PRIMARY KEY NOT NULL,
  holder TEXT NOT NULL
);

INSERT INTO task (id, title, votes, labels, notes, due) VALUES
  ('stall', 'Plan the market stall', 2, '["spring"]', 'Bring the blue awning. Ask Mo for the keys.', 'Friday');
