import { codeOf, TidemarkError } from "../error.ts";

/** The error of an edit that no Tidemark wrote. */
export function unreadable(why: string): TidemarkError {
  return new TidemarkError("schema", `an edit of the changeset cannot be read: ${why}`);
}

/** The error of a value that an edit cannot be put on. */
export function mismatch(want: string): TidemarkError {
  return new TidemarkError("conflict", `the edit expects ${want}, the value there has another form`);
}

/** What fn returns, or undefined when the value there is not one that the edit can be put on. */
export function unlessMismatched<T>(fn: () => T): T | undefined {
  try {
    return fn();
  } catch (err) {
    if (codeOf(err) === "conflict") return undefined;
    throw err;
  }
}
