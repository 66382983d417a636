import type { Code } from "../codes.ts";
import { type ErrorDetail, TidemarkError } from "../error.ts";

/** What SQLite answers instead of a result. */
export class SqliteError extends Error {
  /** The primary result code. */
  readonly code: number;
  readonly extended: number;
  /** Where in the statement, in bytes; -1 where SQLite does not tell. */
  readonly offset: number;

  constructor(extended: number, message: string, offset: number) {
    super(message);
    this.name = "SqliteError";
    this.code = extended & 0xff;
    this.extended = extended;
    this.offset = offset;
  }
}

function codeIn(err: unknown, ...codes: number[]): boolean {
  return err instanceof SqliteError && codes.includes(err.code);
}

/** Whether somebody else holds the lock: BUSY, LOCKED. */
export const busy = (err: unknown): boolean => codeIn(err, 5, 6);

/** Whether the file is not SQLite. */
export const notADatabase = (err: unknown): boolean => codeIn(err, 26);

/** Whether the disk, or the origin's quota, is full. */
export const full = (err: unknown): boolean => codeIn(err, 13);

/** Whether reading or writing failed. */
export const disk = (err: unknown): boolean => codeIn(err, 10);

/** Whether the file is damaged. */
export const corrupt = (err: unknown): boolean => codeIn(err, 11);

/** Whether the file cannot be written. */
export const readOnly = (err: unknown): boolean => codeIn(err, 8);

/** Whether it has nothing to do with what was written: a lock, the disk, memory, an interruption. */
export const environment = (err: unknown): boolean => codeIn(err, 5, 6, 7, 8, 9, 10, 13);

/** Whether a virtual table refused, which gives no reason that SQLite has a code for. */
export const byModule = (err: unknown): boolean =>
  err instanceof SqliteError && (err.extended === CONSTRAINT || err.extended === VTAB);

const TOOBIG = 18;
const CONSTRAINT = 19;
const MISMATCH = 20;
const VTAB = CONSTRAINT | (9 << 8);

/** Codes by the second byte of an extended result; what is not here is a check. */
const codes: { readonly [extra: number]: Code } = {
  3: "foreign_key",
  5: "not_null",
  6: "unique",
  7: "raised",
  8: "unique",
  10: "unique",
  12: "type",
};

/**
 * Explains a constraint's or a trigger's refusal of the data: code, message and,
 * where SQLite tells, table and columns. Gives null for every other error.
 */
export function violation(err: unknown): TidemarkError | null {
  if (!(err instanceof SqliteError)) return null;
  if (err.code === TOOBIG) return new TidemarkError("too_large", "a value is larger than SQLite allows");
  if (err.code === MISMATCH) return new TidemarkError("type", "a rowid must be an integer");
  if (err.code !== CONSTRAINT) return null;
  const { message } = err;
  const code = codes[err.extended >> 8] ?? "check";
  // RESTRICT raises like a trigger.
  if (code === "raised" && message === "FOREIGN KEY constraint failed")
    return new TidemarkError("foreign_key", message);
  const said = code === "raised" && /^tidemark: (.*) \(forbidden\)$/s.exec(message)?.[1];
  if (said) return new TidemarkError("forbidden", said, guarded(said));
  return new TidemarkError(code, message, places(message));
}

/** Reads "t.a, t.b". Names with dots stay ambiguous; callers that know the table take it from there. */
function places(message: string): ErrorDetail {
  const list = /^(?:UNIQUE|NOT NULL) constraint failed: (?!index ')(.*)$/s.exec(message)?.[1];
  const parts = list?.split(", ").map((p) => /^([^.]*)\.(.*)$/s.exec(p));
  if (!parts?.every((p) => p !== null)) return {};
  return { table: parts.at(-1)![1]!, columns: parts.map((p) => p[2]!) };
}

/** Reads what a guard says, see Schema.guards. */
function guarded(said: string): ErrorDetail {
  const m =
    /^(?:the rules do not allow to \w+ this row of |the rules allow nobody to \w+ rows of |column (.*) of )(.*?)(?: cannot be changed)?$/s.exec(
      said,
    );
  if (m === null) return {};
  return m[1] === undefined ? { table: m[2]! } : { table: m[2]!, columns: [m[1]] };
}
