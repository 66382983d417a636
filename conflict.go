package tidemark

// ConflictsTable is the synced table in which values are kept that a policy
// threw away, and edits that wait for a decision. The server makes it when it
// adopts a file and writes its rows; apps read it, and may set state to
// StateResolved, like any other table.
const ConflictsTable = "tm_conflicts"

// ConflictsSQL makes ConflictsTable. The columns base, theirs and mine have no
// type, so that they hold values exactly. Where col is NULL the whole row is
// meant, and they hold JSON objects by column name, or NULL for no row; values that JSON
// cannot hold stand in them as spec/protocol.md writes values.
const ConflictsSQL = `CREATE TABLE tm_conflicts (
  id TEXT NOT NULL PRIMARY KEY, -- seq of the changeset that met the other edit, and a number: '17-1'
  state TEXT NOT NULL,          -- open: waits for a decision; kept: a value that lost; resolved
  tbl TEXT NOT NULL,            -- the table
  row TEXT NOT NULL,            -- the primary key: a JSON array of values
  col TEXT,                     -- the column; NULL: the whole row
  unit TEXT,                    -- the column group that merged as one, if one did
  policy TEXT NOT NULL,         -- what decided: a policy, delete-wins, update-wins, ...
  winner TEXT NOT NULL,         -- theirs, mine or both
  base,                         -- what both started from, if it is known
  theirs,                       -- what the server had
  mine,                         -- what the changeset brought
  theirs_by TEXT,               -- replica that wrote theirs
  mine_by TEXT NOT NULL,        -- replica and number of the changeset: 'r1/17'
  author TEXT NOT NULL,         -- principal of the changeset
  made_at INTEGER NOT NULL,     -- when mine was made, Unix milliseconds by its replica's clock
  at INTEGER NOT NULL,          -- when the server met it, Unix milliseconds
  seq INTEGER NOT NULL          -- seq of the changeset
)`

// States of a conflict.
const (
	StateOpen     = "open"
	StateKept     = "kept"
	StateResolved = "resolved"
)

// Winners of a conflict.
const (
	WinnerTheirs = "theirs"
	WinnerMine   = "mine"
	WinnerBoth   = "both"
)
