import { TidemarkError } from "../error.ts";
import { stranger } from "../replica/identity.ts";
import { fromBase64 } from "../wire/base64.ts";
import type { Tokens } from "./transport.ts";

/** Whose a token says that it is, "" when it does not say. Nobody has checked it. */
export function subjectOf(token: string): string {
  const parts = token.split(".");
  const bytes = parts.length === 3 ? fromBase64(parts[1]!) : null;
  try {
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array()));
    const sub = typeof claims === "object" && claims !== null && "sub" in claims ? claims.sub : "";
    return typeof sub === "string" ? sub : "";
  } catch {
    return "";
  }
}

/**
 * The tokens of one link to the server. One of somebody else than the copy's
 * owner is never given out, so that nothing goes out under it. A link begins
 * with a hello alone, which shows whose a token is that does not say so:
 * another such token needs another link.
 */
export function ownTokens(tokens: Tokens, owner: () => string | Promise<string>): Tokens {
  let first: string | null = null;
  return async () => {
    const token = await tokens();
    const [mine, theirs] = [await owner(), subjectOf(token)];
    if (mine !== "" && theirs !== "" && theirs !== mine) throw stranger(mine, theirs);
    first ??= token;
    if (theirs === "" && token !== first) throw new TidemarkError("busy", "there is another token", { op: "connect" });
    return token;
  };
}
