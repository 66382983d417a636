import type { Edit } from "../change.ts";
import { quote } from "../literal/literal.ts";
import type { Value } from "../value.ts";
import { sameValue } from "./canon.ts";
import { unreadable } from "./failure.ts";
import type { Result } from "./meeting.ts";
import { containerAt, containerOf, exactly, finish, parseBody } from "./set.ts";
import { maxDepth, maxIntent, type Node, newNode } from "./tree.ts";
import { compact, member, setMember } from "./write.ts";

/**
 * Says what became of one key of a JSON object; null is no value. The body of an
 * edit is a list of [path,[old],[new]], where path is a list of keys and [] stands
 * for no value, and behind them, as a string, the object as its author left it,
 * where that would not come out of the rest by itself.
 */
interface KeyEdit {
  readonly path: readonly string[];
  readonly old: Node | null;
  readonly new: Node | null;
}

/** Compares two objects key by key, nested ones by their own keys. NULL before is the empty object. */
export function keysIntent(before: Value, after: Value): Edit | null {
  const a = containerOf(before, "{", maxIntent);
  const b = after === null ? null : containerOf(after, "{", maxIntent);
  if (a === null || b === null) return null;
  const list: KeyEdit[] = [];
  compare(list, a, b, []);
  return exactly(before, after, "k", list.map(keyBody), (now, body) => applyKeys(now, body).value);
}

/** Lists what changed: removed keys in their old order, then the others in their new one. */
function compare(list: KeyEdit[], a: Node, b: Node, path: readonly string[]): void {
  for (const it of a.items) {
    if (!member(b, it.key)) list.push({ path: [...path, it.key], old: it.val, new: null });
  }
  for (const { key, val } of b.items) {
    const old = member(a, key);
    if (old?.raw === val?.raw) continue;
    if (old?.kind === "{" && val?.kind === "{") compare(list, old, val, [...path, key]);
    else if (!sameValue(old, val)) list.push({ path: [...path, key], old, new: val });
  }
}

function keyBody(k: KeyEdit): string {
  const sides = [k.old, k.new].map((n) => `[${n ? compact(n) : ""}]`);
  return `[[${k.path.map(quote).join(",")}],${sides.join(",")}]`;
}

function parseKeys(body: string): { list: KeyEdit[]; after: string | null } {
  const list: KeyEdit[] = [];
  for (const { val } of parseBody(body).items) {
    if (val?.kind === '"') return { list, after: val.str };
    list.push(keyEditOf(val));
  }
  return { list, after: null };
}

function keyEditOf(n: Node | null): KeyEdit {
  const [path, old, fresh] = listed(n);
  const keys = listed(path ?? null);
  const sides = [listed(old ?? null), listed(fresh ?? null)] as const;
  const bad = n?.kind !== "[" || path?.kind !== "[" || old?.kind !== "[" || fresh?.kind !== "[";
  if (
    bad ||
    keys.length === 0 ||
    keys.length > maxDepth ||
    keys.some((k) => k.kind !== '"') ||
    sides.some((s) => s.length > 1)
  ) {
    throw unreadable("a key is changed by its path, the old and the new value");
  }
  return { path: keys.map((k) => k.str), old: sides[0][0] ?? null, new: sides[1][0] ?? null };
}

/** The elements of an array. */
function listed(n: Node | null): Node[] {
  return n?.items.flatMap((it) => it.val ?? []) ?? [];
}

/**
 * Puts an edit on an object, key by key; of a key that somebody else changed, too,
 * the edit's value stays. Edits of different keys commute.
 */
export function applyKeys(now: Value, body: string): Result {
  const e = parseKeys(body);
  const n = containerAt(now, "{");
  let lost = false;
  let over = false;
  for (const k of e.list) {
    const fate = put(k, n);
    lost ||= fate === "lost";
    over ||= fate === "over";
  }
  return { value: finish(now, n, e.after, (left) => sameValue(n, left)), lost, over };
}

/**
 * Changes one key. Objects on the way to it that are gone are made again, over the
 * head of who removed them; where something else took the place of one, that stays
 * and the edit is lost.
 */
function put(k: KeyEdit, root: Node): "lost" | "over" | "" {
  const way = [root];
  const last = k.path[k.path.length - 1]!;
  let place = root;
  let over = false;
  for (const key of k.path.slice(0, -1)) {
    let child = member(place, key);
    if (child?.kind !== "{") {
      if (k.new === null) return ""; // it is gone already
      if (child) return "lost";
      child = newNode("{");
      child.edited = over = true;
      setMember(place, key, child);
    }
    way.push(child);
    place = child;
  }
  const there = member(place, last);
  if (!sameValue(there, k.new)) {
    setMember(place, last, k.new);
    for (const n of way) n.edited = true;
    over ||= !sameValue(there, k.old);
  }
  return over ? "over" : "";
}
