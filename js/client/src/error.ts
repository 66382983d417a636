import type { Code } from "./codes.ts";
import type { Value } from "./value.ts";

/** What else an error knows. */
export interface ErrorDetail {
  /** What was being done. */
  readonly op?: string;
  /** What the person can do next. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Where, for errors about data. */
  readonly table?: string;
  readonly key?: readonly Value[];
  readonly columns?: readonly string[];
}

/** The one error class: a stable code of spec/errors.json, a sentence, a next step where there is one. */
export class TidemarkError extends Error {
  readonly code: Code;
  readonly detail: ErrorDetail;

  constructor(code: Code, message: string, detail: ErrorDetail = {}) {
    super(message, { cause: detail.cause });
    this.name = "TidemarkError";
    this.code = code;
    this.detail = detail;
  }

  get hint(): string {
    return this.detail.hint ?? "";
  }
}

/** The code of an error of ours, or "". */
export function codeOf(err: unknown): Code | "" {
  return err instanceof TidemarkError ? err.code : "";
}
