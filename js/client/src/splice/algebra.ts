import type { Patch } from "./splice.ts";
import { Builder, Cursor, INSERT, REMOVE, RETAIN } from "./walk.ts";

/** The patch that does what a and then b do. What it deletes is known where a and b know it. */
export function compose(a: Patch, b: Patch): Patch {
  if (a.length === 0) return b;
  if (b.length === 0) return a;
  const out = new Builder();
  const first = new Cursor(a);
  const second = new Cursor(b);
  while (!first.over || !second.over) {
    if (first.kind === REMOVE) {
      out.remove(first.all());
    } else if (second.kind === INSERT) {
      out.insert(second.all().text);
    } else {
      const n = Math.min(first.n, second.n);
      const [x, y] = [first.take(n), second.take(n)];
      if (x.kind === INSERT && y.kind === RETAIN) out.insert(x.text);
      else if (x.kind === RETAIN && y.kind === REMOVE) out.remove(y);
      else if (x.kind === RETAIN) out.retain(n);
    }
  }
  return out.patch();
}

/** Composes patches that follow one another, in pairs: many small ones do not cost as much as their square. */
export function composeAll(list: readonly Patch[]): Patch {
  if (list.length < 2) return list[0] ?? [];
  const half = list.length >> 1;
  return compose(composeAll(list.slice(0, half)), composeAll(list.slice(half)));
}

/**
 * Carries two patches of one text over each other: a and then b' make of it what
 * b and then a' make of it. `aFirst` says whose insertion stands first where both
 * insert at one place. What both delete is deleted once; an insertion into what
 * the other deletes stays. (Nichols, Curtis, Dixon, Lamping, "High-Latency,
 * Low-Bandwidth Windowing in the Jupiter Collaboration System", UIST 1995.)
 */
export function transform(a: Patch, b: Patch, aFirst: boolean): [a1: Patch, b1: Patch] {
  if (a.length === 0 || b.length === 0) return [a, b];
  const [outA, outB] = [new Builder(), new Builder()];
  const [ca, cb] = [new Cursor(a), new Cursor(b)];
  while (!ca.over || !cb.over) {
    if (ca.kind === INSERT && (aFirst || cb.kind !== INSERT)) {
      outB.retain(ca.n);
      outA.insert(ca.all().text);
    } else if (cb.kind === INSERT) {
      outA.retain(cb.n);
      outB.insert(cb.all().text);
    } else {
      const n = Math.min(ca.n, cb.n);
      const [x, y] = [ca.take(n), cb.take(n)];
      if (x.kind === RETAIN && y.kind === RETAIN) {
        outA.retain(n);
        outB.retain(n);
      } else if (y.kind === RETAIN) {
        outA.remove(x);
      } else if (x.kind === RETAIN) {
        outB.remove(y);
      } // else it is gone already
    }
  }
  return [outA.patch(), outB.patch()];
}
