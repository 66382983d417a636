import { quote } from "../literal/literal.ts";
import type { Fields } from "./reader.ts";
import { array } from "./writer.ts";

/** A scope that a replica subscribes to. */
export interface Want {
  readonly scope: string;
  /** Those of a lower one come first, those of the same together; 0 is that of a scope that is not named. */
  readonly priority: number;
}

/** Changes what a session wants: only, want and ask as in Hello. Scopes answers it. */
export interface Subscribe {
  readonly type: "subscribe";
  readonly only: boolean;
  readonly want: readonly Want[];
  readonly ask: number;
}

/**
 * Lists the scopes of the session from here on, sorted: those that the replica
 * wants and its principal may read. What it has of others it drops at once, also
 * when they come back later. Chunks that it has staged are void.
 */
export interface Scopes {
  readonly type: "scopes";
  readonly list: string[];
  /** Of the Hello or the Subscribe that said last what is wanted. */
  readonly ask: number;
}

export function encodeWants(wants: readonly Want[]): string {
  return `[${wants.map((w) => array([quote(w.scope), `${w.priority}`])).join(",")}]`;
}

export function encodeSubscribe(m: Subscribe): string {
  return array(['"s"', `${m.only}`, encodeWants(m.want), `${m.ask}`]);
}

export function readScopes(a: Fields): Scopes {
  return { type: "scopes", list: a.strings(), ask: a.int() };
}
