import { TidemarkError } from "../error.ts";
import { quote } from "../lite/quote.ts";
import type { Column, ForeignKey, Guard, Schema, SchemaObject, Table, TablePolicy, Unique } from "../schema.ts";
import { textOf } from "../value.ts";

/**
 * Reads a schema as it travels and is stored: JSON. Throws a TidemarkError of
 * code protocol on what is none. No place of its tables points outside them, so
 * that nobody behind it has to look.
 */
export function decode(body: Uint8Array | string): Schema {
  try {
    const d = new Document(JSON.parse(String(typeof body === "string" ? body : textOf(body))));
    const tables = d.list("tables", readTable);
    if (new Set(tables.map((t) => t.id)).size < tables.length) throw new Error("two tables have one number");
    return {
      hash: d.str("hash"),
      tables,
      objects: d.list("objects", readObject),
      scopes: d.names("scopes"),
      public: d.names("public"),
      declared: d.str("declared"),
      guards: d.list("guards", readGuard),
    };
  } catch (cause) {
    throw new TidemarkError("protocol", `a schema that cannot be read: ${cause}`, { op: "read schema", cause });
  }
}

/** An object of JSON, read by name: what is left out has its zero value. */
class Document {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(x: unknown) {
    if (typeof x !== "object" || x === null) throw new Error("expected an object");
    this.#fields = { ...x };
  }

  /** Enumerations are not checked: what a later version knows is kept out of our hands by those who read them. */
  str<T extends string = string>(name: string): T {
    // The comment above tells why this is not narrowed.
    return this.#of(name, "", "string") as T;
  }

  int(name: string): number {
    return this.#of(name, 0, "number");
  }

  flag(name: string): boolean {
    return this.#of(name, false, "boolean");
  }

  #of<T>(name: string, zero: T, type: string): T {
    const v = this.#fields[name] ?? zero;
    if (typeof v !== type) throw new Error(`${name} is no ${type}`);
    // Its type was compared with the zero value's.
    return v as T;
  }

  #items(name: string): unknown[] {
    const v = this.#fields[name] ?? [];
    if (!Array.isArray(v)) throw new Error(`${name} is no list`);
    return v;
  }

  list<T>(name: string, read: (d: Document) => T): T[] {
    return this.#items(name).map((x) => read(new Document(x)));
  }

  names(name: string): string[] {
    return this.#items(name).map(String);
  }

  /** Places of columns among n; at least `least`. */
  places(name: string, n: number, least: number): number[] {
    return this.#items(name).map((x) => placed(x, n, least));
  }

  part(name: string): Document {
    return new Document(this.#fields[name] ?? {});
  }
}

function placed(x: unknown, n: number, least: number): number {
  if (typeof x === "number" && Number.isInteger(x) && x >= least && x < n) return x;
  throw new Error(`column ${x} of ${n}`);
}

function readTable(d: Document): Table {
  const columns = d.list("columns", readColumn);
  const n = columns.length;
  const key = d.places("key", n, 0);
  const id = d.int("id");
  if (!(id >= 1) || n === 0 || key.length === 0 || new Set(key).size < key.length) {
    throw new Error(`table ${d.str("name")} has no number, columns or key`);
  }
  return {
    id,
    name: d.str("name"),
    sql: d.str("sql"),
    columns,
    key,
    rowidAlias: d.flag("rowid_alias"),
    withoutRowid: d.flag("without_rowid"),
    strict: d.flag("strict"),
    autoincrement: d.flag("autoincrement"),
    uniques: d.list("uniques", (u) => readUnique(u, n)),
    foreignKeys: d.list("foreign_keys", (f) => readForeignKey(f, n)),
    out: d.str("out"),
    policy: readPolicy(d.part("policy")),
  };
}

function readColumn(d: Document): Column {
  const affinity = d.int("affinity");
  if (affinity !== 0 && affinity !== 1 && affinity !== 2 && affinity !== 3 && affinity !== 4) {
    throw new Error(`unknown affinity ${affinity}`);
  }
  return {
    name: d.str("name"),
    type: d.str("type"),
    affinity,
    collation: d.str("collation"),
    notNull: d.flag("not_null"),
    default: d.str("default"),
    policy: d.str("policy"),
    custom: d.str("custom"),
    group: d.str("group"),
  };
}

function readUnique(d: Document, n: number): Unique {
  const terms = d.list("terms", (t) => ({
    column: placed(t.int("column"), n, -1),
    expr: t.str("expr"),
    collation: t.str("collation"),
  }));
  return { name: d.str("name"), terms, where: d.str("where") };
}

function readForeignKey(d: Document, n: number): ForeignKey {
  const columns = d.places("columns", n, -1);
  const to = d.names("to");
  if (to.length === 0 || to.length !== columns.length) throw new Error("a foreign key with sides of different lengths");
  return {
    columns,
    parent: d.str("parent"),
    to,
    onUpdate: d.str("on_update"),
    onDelete: d.str("on_delete"),
    setNull: d.flag("set_null"),
    loose: d.flag("loose"),
  };
}

function readPolicy(d: Document): TablePolicy {
  return {
    columns: d.str("columns"),
    onDelete: d.str("on_delete"),
    onInsert: d.str("on_insert"),
    onUnique: d.str("on_unique"),
    keep: d.str("keep"),
    keepFor: d.int("keep_for"),
    maxSkew: d.int("max_skew"),
    lease: d.int("lease"),
  };
}

function readObject(d: Document): SchemaObject {
  return { type: d.str("type"), name: d.str("name"), table: d.str("table"), sql: d.str("sql") };
}

function readGuard(d: Document): Guard {
  const g = { table: d.int("table"), name: d.str("name"), sql: d.str("sql") };
  if (g.name.startsWith("_tm_rule_") && g.sql.startsWith(`CREATE TRIGGER ${quote(g.name)} `)) return g;
  throw new Error(`${g.name} is no guard`);
}
