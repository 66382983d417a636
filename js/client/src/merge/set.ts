import type { Edit, EditKind } from "../change.ts";
import { quote } from "../literal/literal.ts";
import { same, type Value } from "../value.ts";
import { canon } from "./canon.ts";
import { mismatch, unreadable } from "./failure.ts";
import type { Meeting, Result } from "./meeting.ts";
import { closing, maxIntent, maxMerge, type Node, parse } from "./tree.ts";
import { compact, write } from "./write.ts";

/**
 * An edit of a set: a JSON array in which equal values count once. Its body is
 * [[added...],[removed...]], and behind them, as a string, the array as its author
 * left it, where that would not come out of the rest by itself.
 */
interface Members {
  readonly adds: readonly Node[];
  readonly removes: readonly Node[];
  readonly after: string | null;
}

/** Compares two arrays. NULL before is the empty set. */
export function membersIntent(before: Value, after: Value): Edit | null {
  const a = containerOf(before, "[", maxIntent);
  const b = after === null ? null : containerOf(after, "[", maxIntent);
  if (a === null || b === null) return null;
  const lists = [without(b, a), without(a, b)].map((list) => `[${list.map(compact).join(",")}]`);
  return exactly(before, after, "m", lists, (now, body) => applyMembers(now, body).value);
}

/**
 * An edit that turns before into after to the last byte: if the difference alone
 * does not, the text goes along.
 */
export function exactly(
  before: Value,
  after: Value,
  kind: EditKind,
  parts: readonly string[],
  applied: (now: Value, body: string) => Value,
): Edit | null {
  for (const list of [parts, [...parts, quote(String(after))]]) {
    const body = `[${list.join(",")}]`;
    try {
      if (same(applied(before, body), after)) return { kind, body };
    } catch {
      // what cannot be put on the value that it was made of is set as a whole
    }
  }
  return null;
}

/** Reads a value as an array or object; NULL is an empty one, null says that it is none. */
export function containerOf(v: Value, kind: "[" | "{", limit: number): Node | null {
  const text = v ?? kind + closing(kind);
  if (typeof text !== "string") return null;
  try {
    const n = parse(text, limit);
    return n.kind === kind ? n : null;
  } catch {
    return null;
  }
}

/** Reads a value that an edit is put on. */
export function containerAt(now: Value, kind: "[" | "{"): Node {
  const n = containerOf(now, kind, maxMerge);
  if (n === null) throw mismatch(kind === "[" ? "a JSON array" : "a JSON object");
  return n;
}

/** What the members of one set are told apart by. */
function idOf(n: Node): string {
  return n.kind === '"' ? `"${n.str}` : canon(n);
}

/** The members of n that are not in other, each once, in order. */
function without(n: Node, other: Node): Node[] {
  const seen = idsOf(other);
  return membersOf(n).filter((v) => {
    const fresh = !seen.has(idOf(v));
    seen.add(idOf(v));
    return fresh;
  });
}

function membersOf(n: Node): Node[] {
  return n.items.flatMap((it) => it.val ?? []);
}

function idsOf(n: Node): Set<string> {
  return new Set(membersOf(n).map(idOf));
}

function parseMembers(body: string): Members {
  const [adds, removes, after] = membersOf(parseBody(body));
  if (adds?.kind !== "[" || removes?.kind !== "[") throw unreadable("a set is changed by two lists");
  return { adds: membersOf(adds), removes: membersOf(removes), after: after?.kind === '"' ? after.str : null };
}

/** Reads the array that the body of an edit is. */
export function parseBody(body: string): Node {
  const n = containerOf(body, "[", maxMerge);
  if (n === null) throw unreadable("its body is no JSON array");
  return n;
}

/**
 * Puts an edit on a set. What is there keeps its order; new members follow in the
 * order in which they were added. A member in keep is not removed: the removal is
 * lost.
 */
export function applyMembers(now: Value, body: string, keep?: ReadonlySet<string>): Result {
  const e = parseMembers(body);
  const n = containerAt(now, "[");
  const removes = new Set(e.removes.map(idOf));
  const have = new Set<string>();
  let lost = false;
  for (const it of n.items) {
    const id = idOf(it.val!); // nothing is removed yet
    const kept = keep?.has(id) ?? false;
    lost ||= removes.has(id) && kept;
    if (have.has(id) || (removes.has(id) && !kept)) {
      it.val = null;
      n.edited = true;
    } else {
      have.add(id);
    }
  }
  for (const val of e.adds) {
    if (have.has(idOf(val))) continue;
    have.add(idOf(val));
    n.items.push({ gap: "", name: "", key: "", val });
    n.edited = true;
  }
  const alike = (left: Node): boolean => {
    const other = idsOf(left);
    return other.size === have.size && [...other].every((id) => have.has(id));
  };
  return { value: finish(now, n, e.after, alike), lost, over: false };
}

/**
 * Writes what an edit made of a value. Where that is what its author had in front
 * of them, it is spelled as they left it.
 */
export function finish(now: Value, n: Node, after: string | null, alike: (left: Node) => boolean): Value {
  const left = after === null ? null : containerOf(after, n.kind === "[" ? "[" : "{", maxMerge);
  if (left && alike(left)) return after;
  return n.edited || now === null ? write(n) : now;
}

/** Under policy set adds and removes combine, and an add wins over a removal by somebody who had not seen it. */
export function putMembers(m: Meeting, body: string): Result {
  return { ...applyMembers(m.theirs, body, addedByOthers(m)), over: restores(m, body) };
}

/** The members that others added meanwhile. */
function addedByOthers(m: Meeting): Set<string> {
  const added = new Set<string>();
  for (const f of m.others ?? []) {
    const old = containerOf(f.old, "[", maxMerge);
    const now = containerOf(f.new, "[", maxMerge);
    if (old && now) for (const v of without(now, old)) added.add(idOf(v));
  }
  return added;
}

/** Whether the edit adds what others removed. */
function restores(m: Meeting, body: string): boolean {
  const base = m.based ? containerOf(m.base, "[", maxMerge) : null;
  const theirs = containerOf(m.theirs, "[", maxMerge);
  if (!base || !theirs) return false;
  const [was, is] = [idsOf(base), idsOf(theirs)];
  return parseMembers(body).adds.some((v) => was.has(idOf(v)) && !is.has(idOf(v)));
}
