import type { Seq } from "../change.ts";
import type { Row } from "../value.ts";
import type { Fields } from "./reader.ts";
import { encodeValues } from "./value.ts";
import { array } from "./writer.ts";

/** Asks for the rows of one range, by key order. */
export interface AskRows {
  readonly type: "askRows";
  readonly id: number;
  readonly table: number;
  readonly after: Row | null;
  readonly upto: Row | null;
  readonly limit: number;
}

/** Answers AskRows, as of seq; more says that the limit cut it. */
export interface Rows {
  readonly type: "rows";
  readonly id: number;
  readonly seq: Seq;
  readonly more: boolean;
  readonly list: Row[];
  /** Parallel to `list`: which of the session's scopes a row is in; empty where none are declared. */
  readonly scopes: string[][];
}

export function encodeAskRows(m: AskRows): string {
  return array(['"r"', `${m.id}`, `${m.table}`, encodeValues(m.after), encodeValues(m.upto), `${m.limit}`]);
}

export function readRows(a: Fields): Rows {
  return {
    type: "rows",
    id: a.int(),
    seq: a.int(),
    more: a.bool(),
    list: a.rows(),
    scopes: a.all(() => a.r.all(() => a.r.str())),
  };
}
