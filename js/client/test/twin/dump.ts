import type { Database } from "../../src/lite/database.ts";
import { quote } from "../../src/lite/quote.ts";
import type { Replica } from "../../src/replica/replica.ts";
import { spell } from "./spelled.ts";

/** The history of undo is Go's alone, the record of calls the shell's. */
const kept = (table: string): boolean => !table.startsWith("_tm_history") && table !== "_tm_call";

/** How often each library changed the structure, and what kind of file it was, differs by nature. */
const ownFacts = ["ddl_version", "journal_mode"];

/** Every row of every table as a line, in the order of the lines, as the harness has it. */
export function dump(r: Replica): Record<string, string[]> {
  const s = r.status();
  const status =
    `replica ${s.replica} seq ${s.seq} head ${s.head} pending ${s.pending} suspended ${s.suspended} rejected ${s.rejected} ` +
    `unsealed ${s.unsealed} staged ${s.staged} proven ${s.proven} repair ${JSON.stringify(s.repair)} contact ${s.contact} ` +
    `readonly ${s.readOnly} out ${s.out.size} stopped ${JSON.stringify(s.stopped)} ` +
    `scoped ${s.scoped} only ${s.only} filling ${s.filling} unasked ${s.unasked}`;
  const tables: Record<string, string[]> = { status: [status] };
  const scopes = r
    .scopes(true)
    .map(
      (x) => `${x.scope} listed ${x.listed} wanted ${x.wanted} ready ${x.ready} priority ${x.priority} rows ${x.rows}`,
    );
  if (scopes.length > 0) tables.scopes = scopes;
  const structure: string[] = [];
  const names: string[] = [];
  // How a module keeps its rows is its own.
  const hidden = new Set<string>();
  r.db.each("SELECT name FROM pragma_table_list WHERE type = 'shadow'", (row) => hidden.add(row.text(0)));
  r.db.each("SELECT type, name, tbl_name, sql FROM main.sqlite_master", (row) => {
    if (!kept(row.text(2)) || hidden.has(row.text(2)) || row.isNull(3)) return;
    structure.push([row.text(0), row.text(1), row.text(3)].join(" "));
    if (row.text(0) === "table") names.push(row.text(1));
  });
  tables.structure = structure.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const name of names) tables[name] = rowsOf(r.db, name);
  return tables;
}

function rowsOf(db: Database, name: string): string[] {
  const rows: string[] = [];
  // What the index finds, not the rows that it is of.
  const sql = name === "xdoc_text" ? "SELECT rowid FROM xdoc_text('alpha')" : `SELECT * FROM main.${quote(name)}`;
  db.each(sql, (s) => {
    if (name === "_tm_meta" && ownFacts.includes(s.text(0))) return;
    rows.push(s.row().map(spell).join(" "));
  });
  return rows.sort(); // all of ASCII
}
