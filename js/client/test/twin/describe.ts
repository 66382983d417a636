import type { Note } from "../../src/replica/loop.ts";

/** Spells news in one line, as the harness does. Of errors only the code is compared. */
export function describe(n: Note): string {
  let line: string = n.state;
  if (n.error) line += `, error ${n.error.code}`;
  if (n.sealed) line += `, sealed ${n.sealed}`;
  const v = n.verify;
  if (v) line += `, verified seq ${v.seq} tables ${v.tables} rows ${v.rows} differed ${v.differed} saved ${v.saved}`;
  const a = n.applied;
  if (!a) return line;
  line += `, applied to ${a.seq}, tables [${a.tables.join(" ")}]`;
  for (const o of a.settled) line += `, settled ${o.n} ${o.kind} ${o.code} at ${o.seq}`;
  for (const p of a.suspended) line += `, suspended ${p.n} by ${p.cause}, ${p.bytes} bytes`;
  for (const r of a.resumed) line += `, resumed ${r}`;
  if (a.repair) line += `, to repair: ${a.repair}`;
  for (const s of a.scopes) line += `, ${s.scope} ${s.state} of ${s.rows} rows, unwanted ${s.unwanted}`;
  for (const t of [...a.left.keys()].sort((x, y) => x - y)) line += `, ${a.left.get(t)?.length} left ${t}`;
  return `${line}, schema ${a.schema}, ${a.skipped.length} skipped, ${a.rows} rows, staged ${a.staged}`;
}
