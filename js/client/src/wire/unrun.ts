import { type Change, DELETE, type Edit, type EditKind, FORGET, INSERT, UPDATE } from "../change.ts";
import type { Value } from "../value.ts";
import type { Fields, Reader } from "./reader.ts";

/** Reads changes: see changes.ts for how they are written. */
export function readChanges(r: Reader): Change[] {
  const changes: Change[] = [];
  r.lists((run) => {
    const table = run.place();
    const form = run.str();
    if (form === "x") changes.push(odd(table, run));
    else if (form === "e") changes.push(edited(table, run));
    else readRun(table, form, run, changes);
  });
  return changes;
}

/** Reads a run and turns its columns into changes. */
function readRun(table: number, form: string, run: Fields, out: Change[]): void {
  const { r } = run;
  if (form === "" || !"iudfUD".includes(form)) r.fail("no such form of changes");
  const cols = form === "d" || form === "f" ? [] : run.places();
  const columns: Value[][] = [];
  while (run.next()) columns.push(r.peek() === 91 ? r.all(() => r.value()) : [r.value()]);
  const width = columns.length;
  const n = width === 0 ? 1 : columns[0]!.length;
  if (n === 0 || columns.some((c) => c.length !== n)) r.fail("columns of different lengths");
  const whole = form === "i" || form === "D";
  if (whole && cols.some((at) => at >= width)) r.fail("the key lies outside the row");
  if ((form === "U" ? 2 : 1) * cols.length > width) r.fail("columns are missing");
  for (let i = 0; i < n; i++) {
    const row = columns.map((c) => c[i]!);
    out.push(changeOf(table, form, cols, row));
  }
}

function changeOf(table: number, form: string, cols: number[], row: Value[]): Change {
  const change = (op: Change["op"], key: Value[], columns: number[], values: Value[], old: Value[] | null): Change => ({
    table,
    op,
    key,
    columns,
    values,
    old,
    edits: null,
    madeAt: 0,
  });
  const m = cols.length;
  const k = row.length - m;
  switch (form) {
    case "d":
      return change(DELETE, row, [], [], null);
    case "f":
      return change(FORGET, row, [], [], null);
    case "u":
      return change(UPDATE, row.slice(0, k), cols, row.slice(k), null);
    case "U":
      return change(UPDATE, row.slice(0, k - m), cols, row.slice(k - m, k), row.slice(k));
  }
  const key = cols.map((at) => row[at]!);
  return form === "i" ? change(INSERT, key, [], row, null) : change(DELETE, key, [], [], row);
}

/** An update in which edits stand for values. */
function edited(table: number, run: Fields): Change {
  const { r } = run;
  const columns = run.places();
  const values: Value[] = [];
  const edits: (Edit | null)[] = [];
  while (run.next()) {
    const edit = r.peek() === 91 ? readEdit(r) : null;
    edits.push(edit);
    values.push(edit ? null : r.value());
  }
  const keys = values.length - columns.length;
  if (keys < 0 || columns.length === 0) r.fail("columns are missing");
  if (edits.slice(0, keys).some((e) => e)) r.fail("an edit of a key");
  const key = values.splice(0, keys);
  return { table, op: UPDATE, key, columns, values, old: null, edits: edits.slice(keys), madeAt: 0 };
}

/** A change written in full. */
function odd(table: number, run: Fields): Change {
  const { r } = run;
  const n = run.int();
  const op = n === INSERT || n === UPDATE || n === DELETE ? n : r.fail("no such kind of change");
  const key = run.values() ?? [];
  const columns = run.places();
  const values = run.values() ?? [];
  const was = run.values() ?? [];
  const list = run.all(() => {
    if (r.peek() !== 110) return readEdit(r);
    r.word("null");
    return null;
  });
  const old = was.length > 0 ? was : null;
  const edits = list.length > 0 ? list : null;
  const fit = (e: Edit | null, i: number): boolean => !e || (values[i] === null && (old?.[i] ?? null) === null);
  if (edits && !(op === UPDATE && edits.length === values.length && edits.every(fit))) {
    r.fail("edits that do not belong to values");
  }
  return { table, op, key, columns, values, old, edits, madeAt: run.int() };
}

/** Kind and body. What a body means is not looked at. */
function readEdit(r: Reader): Edit {
  return r.fields((a) => {
    const kind = a.str();
    const body = a.raw();
    return isKind(kind) && body !== null ? { kind, body } : r.fail("no such edit");
  });
}

function isKind(kind: string): kind is EditKind {
  return kind.length === 1 && "atmk".includes(kind);
}
