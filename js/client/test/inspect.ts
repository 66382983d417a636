import type { Database } from "../src/lite/database.ts";
import { quote } from "../src/lite/quote.ts";
import { listIn, tokens } from "../src/schema/token.ts";
import type { Affinity, Column, ForeignKey, Schema, SchemaObject, Table, Unique } from "../src/schema.ts";
import type { Value } from "../src/value.ts";

/** Rows of a query by the names of their columns. */
function select(db: Database, sql: string, ...args: Value[]): Record<string, Value>[] {
  const list: Record<string, Value>[] = [];
  const add = (names: string[], row: Value[]): void => {
    list.push(Object.fromEntries(names.map((name, i) => [name, row[i]!])));
  };
  db.each(
    sql,
    (s) =>
      add(
        Array.from({ length: s.columns }, (_, i) => s.columnName(i)),
        s.row(),
      ),
    ...args,
  );
  return list;
}

/**
 * What a server would tell of the tables of a database: all with a primary
 * key sync. ids are the numbers that tables have already. The server's own
 * inspection is stricter; this one is for databases that tests make.
 */
export function inspect(db: Database, ids: ReadonlyMap<string, number>): Schema {
  const all = select(
    db,
    "SELECT type, name, tbl_name, sql FROM main.sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE '\\_tm\\_%' ESCAPE '\\' ORDER BY rowid",
  );
  const shadow = new Set(
    select(db, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type <> 'table'").map((x) => x.name),
  );
  const objects = all.filter(
    (o) => o.type === "view" || !shadow.has(o.name!) || /^CREATE VIRTUAL/i.test(String(o.sql)),
  );
  let next = Math.max(0, ...ids.values());
  const tables: Table[] = [];
  for (const o of objects) {
    if (o.type !== "table" || shadow.has(o.name!) || String(o.name).startsWith("sqlite_")) continue;
    const t = tableOf(db, String(o.name), String(o.sql));
    if (t.key.length > 0) tables.push({ ...t, id: ids.get(t.name) ?? ++next });
  }
  const listed = objects.map(
    (o): SchemaObject => ({
      type: String(o.type),
      name: String(o.name),
      table: String(o.tbl_name),
      sql: String(o.sql),
    }),
  );
  return {
    hash: hashOf(JSON.stringify([tables, listed])),
    tables,
    objects: listed,
    scopes: [],
    public: [],
    declared: "",
    guards: [],
  };
}

/** 16 digits that tell two schemas apart; a server's are a real hash. */
function hashOf(s: string): string {
  let h = 0xcbf29ce484222325n;
  for (let i = 0; i < s.length; i++) h = BigInt.asUintN(64, (h ^ BigInt(s.charCodeAt(i))) * 0x100000001b3n);
  return h.toString(16).padStart(16, "0");
}

function tableOf(db: Database, name: string, sql: string): Table {
  const info = select(db, "SELECT * FROM pragma_table_xinfo(?1, 'main')", name).filter((c) => c.hidden === 0n);
  const indexes = select(db, `SELECT * FROM pragma_index_list(?1, 'main') WHERE "unique"`, name);
  const place = (column: unknown): number => info.findIndex((c) => c.name === column);
  const uniques: Unique[] = [];
  for (const index of indexes) {
    if (index.origin === "pk") continue;
    const { exprs, where } = indexText(db.text("SELECT sql FROM sqlite_master WHERE name = ?1", index.name!));
    const terms = select(db, "SELECT * FROM pragma_index_xinfo(?1, 'main') WHERE key ORDER BY seqno", index.name!);
    uniques.push({
      name: String(index.name),
      terms: terms.map((x, i) => {
        const column = place(x.name);
        const expr = column >= 0 ? "" : x.name === null ? (exprs[i] ?? "") : quote(String(x.name));
        return { column, expr, collation: String(x.coll).toUpperCase() };
      }),
      where,
    });
  }
  const keyed = info.filter((c) => c.pk !== 0n).sort((a, b) => Number(a.pk) - Number(b.pk));
  const [listed] = select(db, "SELECT wr, strict FROM pragma_table_list WHERE schema = 'main' AND name = ?1", name);
  const strict = listed!.strict === 1n;
  const columns = info.map((c): Column => {
    const type = String(c.type);
    return {
      name: String(c.name),
      type,
      affinity: strict && type.toUpperCase() === "ANY" ? 0 : affinityOf(type),
      collation: collationOf(db, name, String(c.name)),
      notNull: c.notnull === 1n,
      default: c.dflt_value === null ? "" : String(c.dflt_value),
      policy: "",
      custom: "",
      group: "",
    };
  });
  return {
    id: 0,
    name,
    sql,
    columns,
    key: keyed.map((c) => place(c.name)),
    rowidAlias: keyed.length === 1 && String(keyed[0]!.type).toUpperCase() === "INTEGER" && listed!.wr === 0n,
    withoutRowid: listed!.wr === 1n,
    strict,
    autoincrement: /AUTOINCREMENT/i.test(sql),
    uniques: uniques.reverse(),
    foreignKeys: foreignKeysOf(db, name, place),
    out: "",
    policy: { columns: "", onDelete: "", onInsert: "", onUnique: "", keep: "", keepFor: 0, maxSkew: 0, lease: 0 },
  };
}

/** The terms and the condition of a CREATE INDEX, without order and collations. */
function indexText(sql: string): { exprs: string[]; where: string } {
  const on = tokens(sql).find((t) => t.text.toUpperCase() === "ON");
  const list = on && listIn(sql.slice(on.start));
  if (!list) return { exprs: [], where: "" };
  const after = tokens(list.after);
  const where = after[0]?.text.toUpperCase() === "WHERE" ? list.after.slice(after[1]!.start, after.at(-1)!.end) : "";
  return { exprs: list.parts.map(withoutOrder), where };
}

function withoutOrder(term: string): string {
  let list = tokens(term);
  if (list.length > 1 && /^(?:ASC|DESC)$/i.test(list.at(-1)!.text)) list = list.slice(0, -1);
  if (list.length > 2 && /^COLLATE$/i.test(list.at(-2)!.text)) list = list.slice(0, -2);
  return term.slice(list[0]!.start, list.at(-1)!.end);
}

/** The collation that a column declares, which no pragma tells: what an index on it alone compares by. */
function collationOf(db: Database, table: string, column: string): string {
  return db.savepoint("collation", () => {
    db.run(`CREATE INDEX main._tm_collation ON ${quote(table)} (${quote(column)})`);
    const found = db.text("SELECT coll FROM pragma_index_xinfo('_tm_collation', 'main') WHERE key");
    db.run("DROP INDEX main._tm_collation");
    return found.toUpperCase();
  });
}

function affinityOf(type: string): Affinity {
  if (/INT/i.test(type)) return 3;
  if (/CHAR|CLOB|TEXT/i.test(type)) return 1;
  if (type === "" || /BLOB/i.test(type)) return 0;
  return /REAL|FLOA|DOUB/i.test(type) ? 4 : 2;
}

function foreignKeysOf(db: Database, name: string, place: (column: unknown) => number): ForeignKey[] {
  const rows = select(db, "SELECT * FROM pragma_foreign_key_list(?1, 'main') ORDER BY id DESC, seq", name);
  return [...new Set(rows.map((x) => x.id))].map((id) => {
    const parts = rows.filter((x) => x.id === id);
    const { table: parent, on_update, on_delete } = parts[0]!;
    const key = select(db, "SELECT name FROM pragma_table_xinfo(?1, 'main') WHERE pk ORDER BY pk", parent!);
    return {
      columns: parts.map((x) => place(x.from)),
      parent: String(parent),
      to: parts.map((x, i) => String(x.to ?? key[i]!.name)),
      onUpdate: String(on_update),
      onDelete: String(on_delete),
      setNull: false,
      loose: false,
    };
  });
}

/** The schema as it travels. */
export function encode(s: Schema): string {
  const named = (o: object): object =>
    Object.fromEntries(
      Object.entries(o).map(([k, v]: [string, unknown]) => [
        k.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`),
        Array.isArray(v) ? v.map((x: unknown) => (typeof x === "object" && x !== null ? named(x) : x)) : v,
      ]),
    );
  return JSON.stringify({
    ...named(s),
    tables: s.tables.map((t) => ({ ...named(t), policy: named(t.policy) })),
  });
}
