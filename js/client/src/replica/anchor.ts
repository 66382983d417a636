import { type Change, UPDATE } from "../change.ts";
import { patchOf } from "../merge/text.ts";
import { editOf } from "../policy.ts";
import { get } from "../row/row.ts";
import { columnNames, type Table } from "../schema.ts";
import { apply } from "../splice/apply.ts";
import { flat, offset } from "../splice/count.ts";
import { parseBody, parseEdit, patchBody } from "../splice/edit.ts";
import type { Patch, Splice } from "../splice/splice.ts";
import { type Row, sizeOf, type Value } from "../value.ts";
import { appendChanges, decodeChanges } from "../wire/changes.ts";
import type { Attempt } from "./attempt.ts";
import { type Images, idOf, synced } from "./base.ts";
import { Misfit } from "./misfit.ts";
import type { PendingRecord } from "./pending.ts";
import type { Replica } from "./replica.ts";

/**
 * How many characters of a text are kept on either side of an edit that was
 * rejected: the text goes on without it, and a retry has to find the place again.
 */
const surroundings = 24;

/** A patch whose splices hold what stood around them. Throws where the patch does not fit the text. */
export function anchored(p: Patch, text: string): Patch {
  apply(p, text);
  const chars = Array.from(text);
  const out: Splice[] = [];
  for (let i = 0; i < p.length; ) {
    const from = Math.max(0, p[i]!.at - surroundings);
    let to = Infinity;
    const inside: Splice[] = [];
    for (let s = p[i]; s && s.at - surroundings <= to; s = p[++i]) {
      to = Math.min(chars.length, s.at + s.delete + surroundings);
      inside.push({ ...s, at: s.at - from });
    }
    const around = chars.slice(from, to).join("");
    out.push({ at: from, delete: to - from, insert: apply(inside, around), deleted: around });
  }
  return out;
}

/**
 * Makes an anchored patch in a text that went on: each splice where what stood
 * around it is found, nearest to where it was; null where it is not.
 */
export function place(p: Patch, text: string): string | null {
  let out = "";
  let done = 0;
  for (const s of p) {
    if (s.deleted === "" && (s.delete > 0 || text !== "")) return null;
    const want = offset(text, 0, s.at, flat(text));
    const at = nearest(text, s.deleted, done, want < 0 ? text.length : want);
    if (at < 0) return null;
    out += text.slice(done, at) + s.insert;
    done = at + s.deleted.length;
  }
  return out + text.slice(done);
}

/** Finds the occurrence of part behind `from` that is closest to `want`, in bytes of UTF-8, or -1. */
function nearest(text: string, part: string, from: number, want: number): number {
  const distance = (at: number): number => sizeOf(text.slice(Math.min(at, want), Math.max(at, want)));
  let best = -1;
  while (from <= text.length) {
    const at = text.indexOf(part, from);
    if (at < 0 || (best >= 0 && distance(at) >= distance(best))) break; // they only get farther away
    best = at;
    from = at + 1;
  }
  return best;
}

/**
 * Adds to a rejected changeset what stood around its edits of texts: `was` holds
 * the rows as it found them.
 */
export function anchorRejected(r: Replica, p: PendingRecord, was: Images): void {
  const which = [p.hash, BigInt(p.n)] as const;
  const body = r.db.get("SELECT body FROM main._tm_rejected WHERE hash = ?1 AND n = ?2", ...which)?.[0];
  if (!(body instanceof Uint8Array)) return;
  const changes = decodeChanges(body);
  const some = changes.map((c, i) => anchorChange(r, c, p.changes?.[i], was));
  if (!some.includes(true)) return;
  r.db.run("UPDATE main._tm_rejected SET body = ?3 WHERE hash = ?1 AND n = ?2", ...which, appendChanges(changes));
}

/** Anchors the edits of a kept change by those that were last put on the rows. */
function anchorChange(r: Replica, kept: Change, shown: Change | undefined, was: Images): boolean {
  const t = shown && synced(r.schema, shown.table);
  const image = t && was.get(idOf(t, shown.key));
  let some = false;
  for (const [i, col] of kept.columns.entries()) {
    const e = shown && editOf(shown, shown.columns.indexOf(col));
    const there = image?.[col];
    // What is no text says nothing of what stood there.
    const text = there === null ? "" : there;
    if (typeof text !== "string" || editOf(kept, i)?.kind !== "t" || e?.kind !== "t") continue;
    try {
      kept.edits![i] = { kind: "t", body: patchBody(anchored(patchOf(e.body), text), true) };
      some = true;
    } catch {
      // it stays as it was made
    }
  }
  return some;
}

const textOf = (v: Value): string => (typeof v === "string" ? v : "");

/** Replaces anchored edits by what they make of the texts as they are. */
export function placed(a: Attempt, changes: readonly Change[]): Change[] {
  return changes.map((c) => {
    const t = synced(a.r.schema, c.table);
    const now = t && c.op === UPDATE && c.edits ? get(a.db, t, c.key) : null;
    return t && now ? placeTexts(t, c, now) : c;
  });
}

function placeTexts(t: Table, c: Change, now: Row): Change {
  const out = { ...c, values: [...c.values], edits: [...(c.edits ?? [])] };
  for (const [i, col] of c.columns.entries()) {
    const e = editOf(c, i);
    if (e?.kind !== "t" || col >= now.length || reads(parseEdit, e.body)) continue; // else it is anchored
    const p = reads(parseBody, e.body);
    const text = p && place(p, textOf(now[col]!));
    if (text === null) {
      throw new Misfit({
        code: "conflict",
        message: `what stood around the edit of ${t.columns[col]!.name} is not there any more`,
        table: t.name,
        key: c.key,
        columns: columnNames(t, [col]),
        row: idOf(t, c.key),
      });
    }
    out.values[i] = text;
    out.edits[i] = null;
  }
  return out;
}

/** What a body reads as, or null. */
function reads<T>(parse: (body: string) => T, body: string): T | null {
  try {
    return parse(body);
  } catch {
    return null;
  }
}
