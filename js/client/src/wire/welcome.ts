import type { Seq } from "../change.ts";
import type { Fields } from "./reader.ts";

/** Answers Hello. */
export interface Welcome {
  readonly type: "welcome";
  readonly protocol: number;
  readonly space: string;
  readonly incarnation: string;
  readonly term: string;
  readonly replica: string;
  readonly ticket: string;
  readonly head: Seq;
  readonly schema: string;
  /** 16 bytes. */
  readonly digestKey: Uint8Array;
  /** The server's clock, Unix milliseconds. */
  readonly time: number;
  readonly limits: Limits;
  /** The replica is older than what the server keeps: compare everything. */
  readonly resync: boolean;
  /** Who the server takes the principal for, "" without authentication. */
  readonly principal: string;
  /** Until when, Unix milliseconds by the server's clock, 0 never. */
  readonly expires: number;
  /** Of the session, as in the message Scopes; empty where none are declared. */
  readonly scopes: string[];
  /** That of Hello. */
  readonly ask: number;
}

/** What the server takes at most, in bytes; 0 means no limit of its own. */
export interface Limits {
  readonly message: number;
  readonly changeset: number;
  readonly row: number;
}

export function readWelcome(a: Fields): Welcome {
  return {
    type: "welcome",
    protocol: a.place(),
    space: a.str(),
    incarnation: a.str(),
    term: a.str(),
    replica: a.str(),
    ticket: a.str(),
    head: a.int(),
    schema: a.str(),
    digestKey: a.bytes(16),
    time: a.int(),
    limits: a.next() ? a.r.fields(readLimits) : { message: 0, changeset: 0, row: 0 },
    resync: a.bool(),
    principal: a.str(),
    expires: a.int(),
    scopes: a.strings(),
    ask: a.int(),
  };
}

function readLimits(a: Fields): Limits {
  return { message: a.place(), changeset: a.place(), row: a.place() };
}
