import type { Name, Seq } from "../change.ts";
import { quote } from "../literal/literal.ts";
import { hashOf } from "./wire.ts";
import { array, bytes } from "./writer.ts";

/**
 * Sends one sealed changeset. One whose body is larger than the server takes is
 * sent without it: body is null and hash says which it is, so that it gets its
 * outcome and delays nothing behind it.
 */
export interface Push {
  readonly type: "push";
  readonly n: number;
  /** 8 bytes. */
  readonly salt: Uint8Array;
  readonly was: Name | null;
  readonly seen: Seq;
  readonly schema: string;
  readonly madeAt: number;
  /** The encoded changes: exactly these bytes are hashed. */
  readonly body: Uint8Array | null;
  /** Only in place of the body; 16 bytes. */
  readonly hash: Uint8Array;
}

export function encodePush(m: Push): string {
  const body = m.body === null ? "null" : new TextDecoder().decode(m.body);
  const was = m.was && array([quote(m.was.replica), `${m.was.n}`, bytes(m.was.hash)]);
  const last = [`${m.madeAt}`, quote(m.schema), `${was}`, bytes(m.hash)];
  return array(['"p"', `${m.n}`, bytes(m.salt), `${m.seen}`, body, ...last], m.body === null ? 0 : 5);
}

/** The hash that names the changeset. */
export function contentHash(m: Push): Uint8Array {
  return m.body === null ? m.hash : hashOf(m.salt, m.body);
}
