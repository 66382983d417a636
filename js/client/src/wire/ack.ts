import { quote } from "../literal/literal.ts";
import { array } from "./writer.ts";

/** What the replica has applied durably; it also proves that the ticket of the last welcome is stored. */
export interface Ack {
  readonly type: "ack";
  readonly seq: number;
  /** Last staged chunk. */
  readonly cursor: string;
}

export function encodeAck(m: Ack): string {
  return array(['"a"', `${m.seq}`, quote(m.cursor)]);
}
