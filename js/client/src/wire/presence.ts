import { quote } from "../literal/literal.ts";
import type { Fields } from "./reader.ts";
import { array } from "./writer.ts";

/** What one peer may say at most, bytes of JSON: of a state, of the body of a cast. */
export const MAX_STATE = 4 << 10;
export const MAX_CAST = 16 << 10;

/** Says what a replica's state in a scope is from now on. */
export interface Presence {
  readonly type: "presence";
  readonly scope: string;
  /** JSON object; null: it leaves. */
  readonly state: string | null;
  /** Tells the states of one replica apart. */
  readonly part: string;
}

export const encodePresence = (m: Presence): string => array(['"n"', quote(m.scope), m.state ?? "null", quote(m.part)]);

/** Says something to everyone who is present in a scope. */
export interface Cast {
  readonly type: "cast";
  readonly scope: string;
  /** JSON. */
  readonly body: string;
  readonly part: string;
}

export const encodeCast = (m: Cast): string => array(['"m"', quote(m.scope), m.body, quote(m.part)]);

/** One who is present in a scope. */
export interface Peer {
  /** Name of the replica; where the state has a part, a colon and the part. */
  readonly id: string;
  readonly principal: string;
  /** JSON object; null: gone. */
  readonly state: string | null;
}

/** Brings states of peers that are new or others than before. */
export interface Peers {
  readonly type: "peers";
  readonly scope: string;
  /** Forget whom was told before: these are the first of all who are there. */
  readonly all: boolean;
  readonly list: readonly Peer[];
}

export const readPeers = (a: Fields): Peers => ({
  type: "peers",
  scope: a.str(),
  all: a.bool(),
  list: a.lists((p) => ({ id: p.str(), principal: p.str(), state: p.raw() })),
});

/** Brings what a peer cast. */
export interface Heard {
  readonly type: "heard";
  readonly scope: string;
  readonly id: string;
  readonly principal: string;
  /** JSON; null for null. */
  readonly body: string | null;
}

export const readHeard = (a: Fields): Heard => ({
  type: "heard",
  scope: a.str(),
  id: a.str(),
  principal: a.str(),
  body: a.raw(),
});

/** Says that a Presence or a Cast was not carried out; what was before stays. */
export interface Declined {
  readonly type: "declined";
  readonly scope: string;
  readonly part: string;
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export const readDeclined = (a: Fields): Declined => ({
  type: "declined",
  scope: a.str(),
  part: a.str(),
  code: a.str(),
  message: a.str(),
  hint: a.str(),
});
