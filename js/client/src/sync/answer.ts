import type { Code } from "../codes.ts";
import { TidemarkError } from "../error.ts";

/** An error of somebody who said when to come back. */
export class ComeBack extends TidemarkError {
  /** Milliseconds. */
  readonly after: number;

  constructor(err: TidemarkError, after: number) {
    super(err.code, err.message, err.detail);
    this.after = after;
  }
}

/**
 * Explains an answer that is not the one asked for. What a Tidemark server says
 * is passed on; what stands between may say anything, and most of it passes.
 */
export async function unexpected(op: string, resp: Response): Promise<TidemarkError> {
  const err = await explain(op, resp);
  const header = resp.headers.get("Retry-After") ?? "";
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return seconds > 0 ? new ComeBack(err, seconds * 1000) : err;
}

async function explain(op: string, resp: Response): Promise<TidemarkError> {
  const hint = "check the address; a proxy or a sign-in page may stand in between";
  if (isType(resp, "json")) {
    const said = await refusalOf(resp);
    if (said) return new TidemarkError(said.code, said.message, { op, hint: said.hint });
  }
  const status = `${resp.status} ${resp.statusText}`.trim();
  const { origin, pathname } = new URL(resp.url || "http://server/");
  if (resp.status === 404)
    return new TidemarkError("no_space", `nothing is served at ${origin}${pathname}`, { op, hint });
  if (resp.status === 401 || resp.status === 403)
    return new TidemarkError(
      resp.status === 401 ? "unauthenticated" : "forbidden",
      `the server wants to know who you are (${status})`,
      { op },
    );
  if (resp.status === 413)
    return new TidemarkError("offline", `something before the server takes no messages of this size (${status})`, {
      op,
    });
  if (resp.status >= 500) return new TidemarkError("offline", `the server cannot answer now (${status})`, { op });
  return new TidemarkError("offline", `${origin} answered ${status}, which is not what a Tidemark server says`, {
    op,
    hint,
  });
}

async function refusalOf(resp: Response): Promise<{ code: Code; message: string; hint: string } | null> {
  try {
    // A newer server may have codes that this build does not know; what is no answer of ours fails below.
    const body = (await resp.json()) as { error: { code: Code; message: string; hint?: string } };
    const { code, message, hint } = body.error;
    return code ? { code, message: message || code, hint: hint ?? "" } : null;
  } catch {
    return null;
  }
}

/** Looks for a word in the content type: application/problem+json is json too. */
export function isType(resp: Response, word: string): boolean {
  return (resp.headers.get("Content-Type") ?? "").split(";")[0]!.includes(word);
}

/**
 * Explains an error of the network; `server` is where it was looked for. A browser
 * does not tell a server that is down from one that refuses the page's origin.
 */
export function unreachable(op: string, err: unknown, server = ""): TidemarkError {
  if (err instanceof TidemarkError) return err;
  const page = globalThis.location?.origin;
  const foreign = server !== "" && page !== undefined && navigator.onLine && !server.startsWith(`${page}/`);
  const hint = foreign ? `see that it runs and takes pages of ${page}: tidemark serve --origin ${page}` : "";
  return new TidemarkError("offline", "the server cannot be reached", { op, hint, cause: err });
}
