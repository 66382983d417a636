import type { ChangeView, Conflict } from "@tidemark/client";
import { readLabels } from "./labels.ts";

/** One thing that a changeset does, in words for people. */
export interface Said {
  readonly column: string;
  readonly text: string;
}

/** A change in the server's log, as GET /demo/log gives it. */
export interface LogChange {
  readonly table: string;
  readonly op: "insert" | "update" | "delete";
  readonly key: readonly unknown[];
  readonly columns?: readonly string[];
  readonly new?: readonly unknown[];
  readonly old?: readonly unknown[];
  readonly edits?: readonly (LogEdit | null)[];
}

/** How a text changed: places with the number of characters that went, and what came. */
interface LogEdit {
  readonly kind: string;
  readonly body: { readonly s?: readonly (readonly [number, number, string?, string?])[] };
}

export function shorten(text: string, most = 34): string {
  const line = text.replaceAll("\n", " ");
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}

const quote = (v: unknown): string => (v === null || v === "" ? "nothing" : `“${shorten(String(v))}”`);

/** What a value of a column became. old is undefined where it is not known. */
function became(column: string, now: unknown, old: unknown): string {
  if (column === "labels") return labelsBecame(String(now), old === undefined ? undefined : String(old));
  if (typeof now === "number" && typeof old === "number") return now < old ? `−${old - now}` : `+${now - old}`;
  return old === undefined ? quote(now) : `${quote(old)} → ${quote(now)}`;
}

function labelsBecame(now: string, old: string | undefined): string {
  const after = readLabels(now);
  if (old === undefined) return after.join(", ") || "none";
  const before = readLabels(old);
  const added = after.filter((l) => !before.includes(l)).map((l) => `+${l}`);
  const gone = before.filter((l) => !after.includes(l)).map((l) => `−${l}`);
  return [...added, ...gone].join(" ") || "as before";
}

function textBecame(edit: LogEdit): string {
  const parts = (edit.body.s ?? []).map(([, gone, added = "", lost = ""]) => {
    const away = gone > 0 ? `−${lost ? `“${shorten(lost, 18)}”` : gone}` : "";
    return [away, added ? `+“${shorten(added, 22)}”` : ""].filter(Boolean).join(" ");
  });
  return parts.join(", ") || "edited";
}

/** The table of what lost and what waits is Tidemark's own: it is said in other words. */
const CONFLICTS = "tm_conflicts";

/** A change of the server's log in words. */
export function sayLog(c: LogChange): readonly Said[] {
  if (c.table === CONFLICTS) return [{ column: "conflict", text: c.op === "insert" ? "recorded" : "decided" }];
  if (c.table === "booking") return [sayBooking(c.op, String(c.key[0]), holderOf(c.columns, c.new))];
  if (c.op !== "update") return [{ column: c.table, text: c.op === "insert" ? "added" : "deleted" }];
  return (c.columns ?? []).map((column, i) => {
    const edit = c.edits?.[i];
    return { column, text: edit?.kind === "text" ? textBecame(edit) : became(column, c.new?.[i], c.old?.[i]) };
  });
}

function holderOf(columns: readonly string[] = [], values: readonly unknown[] = []): string {
  return String(values[columns.indexOf("holder")] ?? "");
}

function sayBooking(op: LogChange["op"], slot: string, holder: string): Said {
  return { column: slot, text: op === "delete" ? "free again" : `booked by ${holder}` };
}

/** A change that waits, or was refused, in words. */
export function sayChange(c: ChangeView): readonly Said[] {
  if (c.table === CONFLICTS) return [{ column: "conflict", text: "decided" }];
  if (c.table === "booking") return [sayBooking(c.op, String(c.key.slot ?? ""), String(c.set.holder ?? ""))];
  if (c.op !== "update") return [{ column: c.table, text: c.op === "insert" ? "added" : "deleted" }];
  const edits = Object.entries(c.edit).map(([column, text]) => ({ column, text: shorten(text, 40) }));
  const sets = Object.entries(c.set)
    .filter(([column]) => !(column in c.edit))
    .map(([column, now]) => ({ column, text: became(column, now, undefined) }));
  return [...sets, ...edits];
}

/** What a changeset does, in words; what it does to many rows alike is said once. */
export function sayChanges(changes: readonly ChangeView[]): readonly Said[] {
  const counts = new Map<string, { said: Said; n: number }>();
  for (const said of changes.flatMap(sayChange)) {
    const name = `${said.column} ${said.text}`;
    counts.set(name, { said, n: (counts.get(name)?.n ?? 0) + 1 });
  }
  return [...counts.values()].map(({ said, n }) => (n === 1 ? said : { ...said, text: `${said.text} (${n})` }));
}

/** A value of a conflict in words. */
export function sayValue(v: Conflict["mine"]): string {
  if (v !== null && typeof v === "object" && !(v instanceof Uint8Array)) return JSON.stringify(v);
  return quote(v);
}
