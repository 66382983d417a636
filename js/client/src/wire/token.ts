import { quote } from "../literal/literal.ts";
import type { Fields } from "./reader.ts";
import { array } from "./writer.ts";

/** Renews, on the open connection, what was said of who the principal is. */
export interface Token {
  readonly type: "token";
  readonly token: string;
}

export function encodeToken(m: Token): string {
  return array(['"t"', quote(m.token)]);
}

/** Says how long the session lasts with the new token. */
export interface Renewed {
  readonly type: "renewed";
  /** Unix milliseconds by the server's clock, 0 never. */
  readonly expires: number;
}

export function readRenewed(a: Fields): Renewed {
  return { type: "renewed", expires: a.int() };
}
