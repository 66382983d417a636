import { type Ack, encodeAck } from "./ack.ts";
import { encodeHello, type Hello } from "./hello.ts";
import { encodePush, type Push } from "./push.ts";
import { type AskRanges, encodeAskRanges } from "./ranges.ts";
import { type AskRows, encodeAskRows } from "./rows.ts";
import { encodeToken, type Token } from "./token.ts";

export type { Ack, AskRanges, AskRows, Hello, Push, Token };

/** A message from a replica to the server. */
export type Up = Hello | Push | Ack | AskRanges | AskRows | Token;

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
  }
}
