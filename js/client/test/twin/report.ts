import type { Change } from "../../src/change.ts";
import { describe, viewOf } from "../../src/replica/describe.ts";
import type { Replica } from "../../src/replica/replica.ts";

/** What is pending and rejected, as the harness spells what the app is told. */
export function report(r: Replica): string[] {
  const lines: string[] = [];
  for (const p of r.pending(true)) {
    lines.push(
      `pending ${p.n} at ${p.madeAt} seen ${p.seen} suspended ${p.suspended} by ${p.cause}, ${p.bytes} bytes`,
      ...views(r, p.changes ?? []),
    );
  }
  for (const j of r.rejected()) {
    lines.push(
      `rejected ${j.id} of ${j.n}, ${j.code}: ${j.message}, ${j.table} ${j.columns.join(" ")}, ` +
        `at ${j.seq} made ${j.madeAt} kept ${j.at}, schema ${j.schema}`,
      ...views(r, j.changes),
    );
  }
  const sound = r.db.text("PRAGMA integrity_check");
  const loose = r.db.int("SELECT count(*) FROM pragma_foreign_key_check");
  return [...lines, `integrity ${sound}, ${loose} references to nothing`];
}

/** Names what changes do; how a language shows a value is its own. */
function views(r: Replica, changes: readonly Change[]): string[] {
  const names = (o: object = {}): string[] =>
    Object.keys(o).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return describe(r.schema, changes, viewOf).map((v) => {
    const edits = names(v.edit).map((column) => `${column} ${plainly(v.edit?.[column] ?? "")}`);
    return `  ${v.op} ${v.table} key ${names(v.key).join(" ")} set ${names(v.set).join(" ")} edit ${edits.join("; ")}`;
  });
}

/** Leaves out what is not plain ASCII: how a language quotes it is its own. */
function plainly(s: string): string {
  return /^[ -[\]-~]*$/.test(s) ? s : "...";
}
