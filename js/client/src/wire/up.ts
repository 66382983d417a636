import { type Ack, encodeAck } from "./ack.ts";
import { encodeHello, type Hello } from "./hello.ts";
import { type Cast, encodeCast, encodePresence, type Presence } from "./presence.ts";
import { encodePush, type Push } from "./push.ts";
import { type AskRanges, encodeAskRanges } from "./ranges.ts";
import { type AskRows, encodeAskRows } from "./rows.ts";
import { encodeSubscribe, type Subscribe } from "./scope.ts";
import { encodeToken, type Token } from "./token.ts";

export type { Ack, AskRanges, AskRows, Cast, Hello, Presence, Push, Subscribe, Token };

/** A message from a replica to the server. */
export type Up = Hello | Push | Ack | AskRanges | AskRows | Token | Presence | Cast | Subscribe;

/** Encodes a message to the server. */
export function encodeUp(m: Up): string {
  switch (m.type) {
    case "hello":
      return encodeHello(m);
    case "push":
      return encodePush(m);
    case "ack":
      return encodeAck(m);
    case "askRanges":
      return encodeAskRanges(m);
    case "askRows":
      return encodeAskRows(m);
    case "token":
      return encodeToken(m);
    case "presence":
      return encodePresence(m);
    case "cast":
      return encodeCast(m);
    case "subscribe":
      return encodeSubscribe(m);
  }
}
