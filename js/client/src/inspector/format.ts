import type { Row, SqlValue } from "../database.ts";

/** A value on one line, as SQL writes it; long ones are cut. */
export function shown(v: SqlValue | undefined): string {
  if (v === null || v === undefined) return "NULL";
  if (v instanceof Uint8Array) return `${v.length} bytes`;
  return typeof v === "string" ? `'${cut(v.replaceAll("'", "''"))}'` : `${v}`;
}

const cut = (s: string): string => (s.length > 120 ? `${s.slice(0, 117)}...` : s);

/** A value or a row. */
export function shownSide(v: SqlValue | Row | undefined): string {
  return v !== null && typeof v === "object" && !(v instanceof Uint8Array) ? shownRow(v) : shown(v);
}

export function shownRow(row: Row): string {
  return Object.entries(row)
    .map(([name, v]) => `${name} = ${shown(v)}`)
    .join(", ");
}

/** How long ago, in words. */
export function ago(at: number, now: number): string {
  if (at === 0) return "never";
  const s = Math.max(0, Math.round((now - at) / 1000));
  if (s < 2) return "now";
  if (s < 60) return `${s}\u00a0s\u00a0ago`;
  if (s < 3600) return `${Math.floor(s / 60)}\u00a0min\u00a0ago`;
  return s < 172_800 ? `${Math.floor(s / 3600)}\u00a0h\u00a0ago` : `${Math.floor(s / 86_400)}\u00a0days\u00a0ago`;
}

export function bytes(n: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let i = 0;
  for (; n >= 1024 && i < 3; i++) n /= 1024;
  return `${i === 0 ? n : n.toFixed(1)} ${units[i]}`;
}

/** Milliseconds; number and unit stay on one line. */
export const ms = (n: number): string => `${n < 10 ? n.toFixed(2) : n.toFixed(0)}\u00a0ms`;

export const message = (err: unknown): string => (err instanceof Error ? err.message : `${err}`);
