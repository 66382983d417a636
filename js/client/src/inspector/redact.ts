import type { ChangeView, Row, SqlValue } from "../database.ts";

/**
 * Takes values out of what is reported: a value becomes its type and length,
 * and a key a number, the same for the same key, so that one can see what
 * belongs together. Names of tables and columns stay.
 */
export class Redactor {
  readonly #keys = new Map<string, number>();

  /** What is left of a value. */
  value(v: SqlValue | undefined): string {
    if (v === null || v === undefined) return "null";
    if (typeof v === "string") return `text of ${v.length}`;
    if (v instanceof Uint8Array) return `blob of ${v.length}`;
    return typeof v === "bigint" || Number.isInteger(v) ? "integer" : "real";
  }

  row(row: Row): Record<string, string> {
    return Object.fromEntries(Object.entries(row).map(([name, v]) => [name, this.value(v)]));
  }

  /** A value or a row. */
  side(v: SqlValue | Row): unknown {
    return v !== null && typeof v === "object" && !(v instanceof Uint8Array) ? this.row(v) : this.value(v);
  }

  key(table: string, key: readonly (SqlValue | undefined)[]): string {
    const name = JSON.stringify([table, ...key.map((v) => (v instanceof Uint8Array ? v.join() : `${typeof v} ${v}`))]);
    const n = this.#keys.get(name) ?? this.#keys.size + 1;
    this.#keys.set(name, n);
    return `#${n}`;
  }

  /** The kind of a scope, and a number for its key. */
  scope(name: string): string {
    const [kind = "", ...key] = name.split("/");
    return key.length === 0 ? kind : `${kind}/${this.key(kind, key)}`;
  }

  change(c: ChangeView): Record<string, unknown> {
    const { table, op, key, set, edit } = c;
    return { table, op, key: this.key(table, Object.values(key)), set: this.row(set), edited: Object.keys(edit) };
  }

  /** SQL without its literals and comments. */
  sql(text: string): string {
    return text
      .replace(/--[^\n]*|\/\*[\s\S]*?\*\//g, " ")
      .replace(/"(?:[^"]|"")*"|x?'(?:[^']|'')*'|(?<![\w$.])\d[\w.]*/gi, (t) => (t.startsWith('"') ? t : "?"))
      .replace(/\s+/g, " ")
      .trim();
  }

  /** A message without what it quotes and without its numbers. */
  message(text: string): string {
    return text.replace(/"[^"]*"|'[^']*'|`[^`]*`/g, "'...'").replace(/\b[\w-]*\d[\w-]*\b/g, "N");
  }

  /** What an outcome says. What the app wrote itself, in a hook or a trigger, may be anything, so nothing of it is left. */
  outcome(code: string, text: string): string {
    return code === "raised" || code.startsWith("app:") ? this.value(text) : this.message(text);
  }
}
