/**
 * Changes are a list of runs, in order. A run is what follows one another with
 * one shape: the same table, kind and columns. It is written by columns:
 *
 *     [table,"i",places,row...]             inserts; the key is the row's values at these places
 *     [table,"u",columns,key...,new...]     updates
 *     [table,"d",key...]                    deletes
 *     [table,"f",key...]                    rows that are forgotten
 *     [table,"U",columns,key...,new...,old...]  updates with before-images
 *     [table,"D",places,row...]             deletes with before-images
 *     [table,"e",columns,key...,new or edit...]  one update with edits; an edit is [kind,body]
 *     [table,"x",op,key,columns,new,old,edits,made]  one change that has none of these shapes
 *
 * Where there is one change, each of key, new, old and row is a value per
 * column; where there are more, it is a list of values per column, one per change.
 */
import { type Change, DELETE, type Edit, FORGET, INSERT, UPDATE } from "../change.ts";
import { bytesOf, type Row, same, type Value } from "../value.ts";
import { decode } from "./reader.ts";
import { readChanges } from "./unrun.ts";
import { encodeValue, encodeValues } from "./value.ts";

/** Bounds what a decoder must hold beside its result. */
const maxRun = 1024;

/** Encodes changes; old says whether before-images go along (the wire takes none). */
export function appendChanges(changes: readonly Change[], old = false): Uint8Array {
  return bytesOf(encodeChanges(changes, old));
}

/** Reads what appendChanges wrote. Changes of one run share their columns. */
export function decodeChanges(body: Uint8Array | string): Change[] {
  return decode(body, readChanges);
}

/** What the changes of a run have in common. */
interface Shape {
  readonly table: number;
  readonly form: Form;
  /** Values of the key. */
  readonly keys: number;
  /** u, U: the columns; i, D: the places of the key in the row. */
  readonly cols: readonly number[];
  /** Values of the row: i, D. */
  readonly width: number;
}

type Form = "i" | "u" | "d" | "f" | "U" | "D" | "e" | "x";

function encodeChanges(changes: readonly Change[], old: boolean): string {
  const runs: string[] = [];
  for (let i = 0; i < changes.length; ) {
    const shape = shapeOf(changes[i]!, old);
    let n = i + 1;
    while (n < changes.length && n - i < maxRun && fits(shape, changes[n]!, old)) n++;
    runs.push(`[${encodeRun(shape, changes.slice(i, n), old)}]`);
    i = n;
  }
  return `[${runs.join(",")}]`;
}

const hasOld = (c: Change, old: boolean): boolean => old && c.old !== null && c.old.length > 0;
const hasEdits = (c: Change): boolean => c.edits !== null && c.edits.length > 0;

function formOf(c: Change, keepOld: boolean): Form {
  const old = hasOld(c, keepOld);
  const paired = c.columns.length === c.values.length;
  if (c.madeAt !== 0) return "x";
  if (hasEdits(c)) return !old && c.op === UPDATE && paired && c.edits?.length === c.values.length ? "e" : "x";
  if (c.op === INSERT && c.columns.length === 0 && !old) return "i";
  if (c.op === UPDATE && paired && !old) return "u";
  if (c.op === UPDATE && paired && c.old?.length === c.values.length) return "U";
  if (c.op === FORGET && c.columns.length + c.values.length === 0 && !old) return "f";
  if (c.op === DELETE && c.columns.length + c.values.length === 0) return old ? "D" : "d";
  return "x";
}

/** The row that a change of this form carries whole. */
function rowIn(form: Form, c: Change): Row {
  return form === "i" ? c.values : (c.old ?? []);
}

function shapeOf(c: Change, old: boolean): Shape {
  const form = formOf(c, old);
  const shape = { table: c.table, form, keys: c.key.length, cols: c.columns, width: 0 };
  if (form !== "i" && form !== "D") return shape;
  const row = rowIn(form, c);
  const cols = c.key.map((k) => row.findIndex((v) => same(v, k)));
  if (cols.includes(-1) || c.key.length > row.length) return { ...shape, form: "x" };
  return { ...shape, cols, width: row.length };
}

/** Whether c belongs into the same run. */
function fits({ table, form, keys, cols, width }: Shape, c: Change, old: boolean): boolean {
  if (form === "x" || form === "e" || c.table !== table || c.key.length !== keys || formOf(c, old) !== form)
    return false;
  if (form === "u" || form === "U") return c.columns.length === cols.length && cols.every((x, i) => c.columns[i] === x);
  if (form === "d" || form === "f") return true;
  const row = rowIn(form, c);
  return row.length === width && cols.every((at, i) => same(c.key[i]!, row[at]!));
}

function encodeRun(shape: Shape, run: readonly Change[], old: boolean): string {
  const { table, form, keys, cols, width } = shape;
  const parts = [`${table}`, `"${form}"`];
  if (form === "x") return [...parts, ...odd(run[0]!, old)].join();
  if (form !== "d" && form !== "f") parts.push(`[${cols.join()}]`);
  if (form === "e") return [...parts, ...edited(run[0]!)].join();
  const add = (n: number, of: (c: Change) => Row): void => {
    for (let col = 0; col < n; col++) {
      const values = run.map((c) => encodeValue(of(c)[col]!)).join();
      parts.push(run.length === 1 ? values : `[${values}]`);
    }
  };
  if (form === "i" || form === "D") add(width, (c) => rowIn(form, c));
  else add(keys, (c) => c.key);
  if (form === "u" || form === "U") add(cols.length, (c) => c.values);
  if (form === "U") add(cols.length, (c) => c.old ?? []);
  return parts.join();
}

/** An update, each value as it is or as the edit that stands for it. */
function edited(c: Change): string[] {
  const values = c.values.map((v, i) => encodeEdit(c.edits?.[i] ?? null) ?? encodeValue(v));
  return [...c.key.map(encodeValue), ...values];
}

/** A change in full. A value that an edit stands for is left out. */
function odd(c: Change, keepOld: boolean): string[] {
  const old = hasOld(c, keepOld);
  const more = hasEdits(c) || c.madeAt !== 0;
  const plain = (vs: Row): Value[] => vs.map((v, i) => (c.edits?.[i] ? null : v));
  // Lists that are not there are null, as Go writes them.
  const list = (vs: Row): string => encodeValues(vs.length === 0 ? null : plain(vs));
  const parts = [`${c.op}`, encodeValues(c.key.length === 0 ? null : c.key), `[${c.columns.join()}]`, list(c.values)];
  if (old || more) parts.push(list(old ? c.old! : []));
  if (more) parts.push(`[${(c.edits ?? []).map((e) => encodeEdit(e) ?? "null").join()}]`);
  if (c.madeAt !== 0) parts.push(`${c.madeAt}`);
  return parts;
}

function encodeEdit(e: Edit | null): string | null {
  return e && `["${e.kind}",${e.body}]`;
}
