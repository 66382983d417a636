import { type Change, type Edit, UPDATE } from "../change.ts";
import { maxMerge, type Node, parse } from "../merge/tree.ts";
import { editOf } from "../policy.ts";
import { type Schema, tableByID } from "../schema.ts";
import { parseBody, parseEdit } from "../splice/edit.ts";
import { hex, RawText, type Value } from "../value.ts";

/** A change with names instead of places. */
export interface ChangeView<V> {
  readonly table: string;
  readonly op: "insert" | "update" | "delete";
  readonly key: Readonly<Record<string, V>>;
  readonly set?: Readonly<Record<string, V>>;
  /** Of columns whose edits are no plain values: what they do, in words. */
  readonly edit?: Readonly<Record<string, string>>;
}

/**
 * Names the tables and columns of changes, with values as `show` gives them.
 * Columns are only ever appended, so the schema of today names the changes of
 * yesterday too.
 */
export function describe<V>(s: Schema, changes: readonly Change[], show: (v: Value) => V): ChangeView<V>[] {
  return changes.map((c) => {
    const t = tableByID(s, c.table);
    const name = (place: number | undefined, i: number) =>
      t?.columns[place ?? -1]?.name ?? `column ${(place ?? i) + 1}`;
    const set: [string, V][] = [];
    const edit: [string, string][] = [];
    c.values.forEach((v, i) => {
      const column = name(c.op === UPDATE ? c.columns[i] : i, i);
      const e = editOf(c, i);
      if (e?.kind) edit.push([column, describeEdit(e)]);
      else set.push([column, show(v)]);
    });
    return {
      table: t?.name ?? `table ${c.table}`,
      op: (["insert", "update", "delete"] as const)[c.op - 1]!,
      key: Object.fromEntries(c.key.map((v, i) => [name(t?.key[i], i), show(v)])),
      ...(c.values.length > 0 && { set: Object.fromEntries(set) }),
      ...(edit.length > 0 && { edit: Object.fromEntries(edit) }),
    };
  });
}

/**
 * A value as JSON can hold it: NULL is null, numbers and text are themselves, a
 * blob is {"blob": "hex"}, text that is not UTF-8 is {"text": "hex"}, an integer
 * beyond 2^53 is {"int": "digits"}, an infinite number is {"real": "Infinity"}.
 */
export function viewOf(v: Value): unknown {
  if (v instanceof Uint8Array) return { blob: hex(v) };
  if (v instanceof RawText) return { text: hex(v.bytes) };
  if (typeof v === "bigint") return Number.isSafeInteger(Number(v)) ? Number(v) : { int: `${v}` };
  if (typeof v === "number" && !Number.isFinite(v)) return { real: `${v}` };
  return v;
}

/**
 * Says for people what an edit does to the value that it meets: "+3",
 * `add "c", remove "b"`, `set /x/y = 1, remove /z`, `at 6 insert "brave "`.
 */
export function describeEdit(e: Edit): string {
  try {
    if (e.kind === "a") return e.body.startsWith("-") ? e.body : `+${e.body}`;
    if (e.kind === "m") return describeMembers(e.body);
    if (e.kind === "k") return describeKeys(e.body);
    if (e.kind === "t") return describeText(e.body);
  } catch {
    // What cannot be read is shown as it stands.
  }
  return e.body;
}

/** The values of an array, as they were spelled: a number may be larger than any of ours. */
const valuesOf = (n: Node | undefined): Node[] => n?.items.flatMap((it) => it.val ?? []) ?? [];

function describeMembers(body: string): string {
  const [added, removed] = valuesOf(parse(body, maxMerge));
  const say = (verb: string) => (m: Node) => `${verb} ${m.raw}`;
  return [...valuesOf(added).map(say("add")), ...valuesOf(removed).map(say("remove"))].join(", ");
}

function describeKeys(body: string): string {
  const parts: string[] = [];
  for (const one of valuesOf(parse(body, maxMerge))) {
    const [path, , value] = valuesOf(one);
    if (one.kind !== "[" || !value) continue; // the object as it was left, behind the keys
    const at = `/${valuesOf(path)
      .map((key) => key.str)
      .join("/")}`;
    const [set] = valuesOf(value);
    parts.push(set ? `set ${at} = ${set.raw}` : `remove ${at}`);
  }
  return parts.join(", ");
}

function describeText(body: string): string {
  return patchOf(body)
    .map((s) => {
      const deleted = s.deleted ? ` (${JSON.stringify(s.deleted)})` : "";
      const gone = s.delete > 0 ? ` delete ${s.delete}${deleted}` : "";
      return `at ${s.at}${gone}${s.insert ? ` insert ${JSON.stringify(s.insert)}` : ""}`;
    })
    .join(", ");
}

/** Reads the patch of an edit of a text, as it is sent or as it is kept. */
function patchOf(body: string): ReturnType<typeof parseBody> {
  try {
    return parseEdit(body).patch;
  } catch {
    return parseBody(body);
  }
}
