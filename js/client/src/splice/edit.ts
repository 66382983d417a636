import { quote } from "../literal/literal.ts";
import { Parser } from "./parse.ts";
import type { Patch } from "./splice.ts";

/** What an edit of a text says, as its author sends it. */
export interface TextEdit {
  readonly patch: Patch;
  /** The changeset of the same replica whose text was edited; 0: the confirmed text was. */
  readonly after: number;
  /** Leads from the confirmed text to the one that was edited, where that is not what changeset `after` left. */
  readonly on: Patch | null;
}

/** Writes an edit: {"s":[[at,delete,"insert"]...],"after":n,"on":[...]}. */
export function editBody(e: TextEdit): string {
  const after = e.after === 0 ? "" : `,"after":${e.after}`;
  const on = e.on === null ? "" : `,"on":${list(e.on, false)}`;
  return `{"s":${list(e.patch, false)}${after}${on}}`;
}

/** Writes a patch as it stands in effects: {"s":[...]}; with what it deletes, as in the log, when asked. */
export function patchBody(p: Patch, deleted: boolean): string {
  return `{"s":${list(p, deleted)}}`;
}

function list(p: Patch, deleted: boolean): string {
  const one = p.map(
    (s) => `[${s.at},${s.delete},${quote(s.insert)}${deleted && s.deleted !== "" ? `,${quote(s.deleted)}` : ""}]`,
  );
  return `[${one.join(",")}]`;
}

/** Reads what editBody wrote, and nothing else. */
export function parseEdit(body: string): TextEdit {
  const p = new Parser(body);
  p.word('{"s":');
  const patch = p.patch(false);
  let after = 0;
  let on: Patch | null = null;
  if (p.take(',"after":')) {
    after = p.whole(Number.MAX_SAFE_INTEGER);
    if (after === 0) p.fail('"after" names no changeset');
    if (p.take(',"on":')) on = p.patch(false);
  }
  p.end();
  return { patch, after, on };
}

/** Reads what patchBody wrote, with or without what it deletes. */
export function parseBody(body: string): Patch {
  const p = new Parser(body);
  p.word('{"s":');
  const patch = p.patch(true);
  p.end();
  return patch;
}
