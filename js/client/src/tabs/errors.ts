import type { Code } from "../codes.ts";
import type { Status } from "../database.ts";
import { TidemarkError } from "../error.ts";
import { RawText, type Value } from "../value.ts";

/** An error as it travels between tabs. */
export interface ErrorMessage {
  readonly code: Code;
  readonly message: string;
  readonly op?: string;
  readonly hint?: string;
  readonly table?: string;
  readonly key?: readonly Value[];
  readonly columns?: readonly string[];
}

/** Makes an error ready to travel. */
export function encodeError(err: unknown): ErrorMessage {
  if (!(err instanceof TidemarkError))
    return { code: "internal", message: err instanceof Error ? err.message : String(err) };
  const { cause: _, key, ...detail } = err.detail;
  const plain = key?.map((v) => (v instanceof RawText ? v.bytes : v));
  return { code: err.code, message: err.message, ...detail, ...(plain && { key: plain }) };
}

/** The error that travelled. */
export function decodeError(e: ErrorMessage): TidemarkError {
  const { code, message, ...detail } = e;
  return new TidemarkError(code, message, detail);
}

/** The error of a call that did not get its answer in time; `reads` where it cannot have done anything. */
export function late(what: string, reads = false): TidemarkError {
  return new TidemarkError("busy", what, {
    hint: reads ? "" : "what was being written may be done all the same: look before you write it again",
  });
}

/** What calls wait for, in words; "" where that is not known. */
export function waitedFor({ phase, waiting, error }: Status): string {
  if (phase !== "schema") return waiting;
  return `the first open needs the server${error === null ? "" : `: ${error.message}`}`;
}

/** The error of a tab whose page is older than another. */
export function outdated(): TidemarkError {
  return new TidemarkError("protocol", "a newer version of this page is open in another tab", {
    hint: "reload the page",
  });
}

export function closed(): TidemarkError {
  return new TidemarkError("usage", "the database is closed");
}
