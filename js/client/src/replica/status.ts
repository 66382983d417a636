import type { Seq } from "../change.ts";
import * as meta from "../meta/meta.ts";
import { scoped } from "../schema.ts";
import { guarded } from "./connection.ts";
import * as facts from "./facts.ts";
import type { Replica } from "./replica.ts";
import { captured } from "./seal.ts";

/** Derived from durable rows alone. */
export interface Status {
  readonly space: string;
  readonly server: string;
  readonly incarnation: string;
  readonly replica: string;
  /** Whose copy it is, "" without authentication. */
  readonly principal: string;
  readonly seq: Seq;
  /** Newest seq that the server told. */
  readonly head: Seq;
  readonly pending: number;
  readonly suspended: number;
  readonly rejected: number;
  /** There are writes that are not sealed yet. */
  readonly unsealed: boolean;
  /** Chunks received, not visible yet. */
  readonly staged: number;
  /** Sums were equal at the last checkpoint. */
  readonly proven: boolean;
  /** Why the copy has to be compared with the server, or "". */
  readonly repair: string;
  /** Last contact, Unix milliseconds. */
  readonly contact: number;
  readonly readOnly: boolean;
  /** Tables that do not sync, with the reason. */
  readonly out: ReadonlyMap<string, string>;
  /** Code of the refusal that stopped syncing, or "". */
  readonly stopped: string;
  /** Scopes are declared; `scopes` lists them. */
  readonly scoped: boolean;
  /** Those that are wanted by name and no others. */
  readonly only: boolean;
  /** Scopes that the server listed and that are not whole here yet. */
  readonly filling: number;
  /** The server has not answered yet what is wanted. */
  readonly unasked: boolean;
}

/** Reads the state. */
export function readStatus(r: Replica): Status {
  return guarded("status", () => {
    const f = facts.allFacts(r.db);
    const text = (key: string) => facts.textFact(f, key);
    const number = (key: string) => facts.numberFact(f, key);
    const counts = r.db.get(`SELECT (SELECT count(*) FROM main._tm_pending),
      (SELECT count(*) FROM main._tm_pending WHERE suspended = 1),
      (SELECT count(*) FROM main._tm_rejected), (SELECT count(*) FROM main._tm_stage WHERE part = 0),
      (SELECT count(*) FROM main._tm_scope WHERE held = 0)`);
    const count = (i: number) => Number(counts?.[i]);
    return {
      space: text(meta.keySpace),
      server: text(facts.keyServer),
      incarnation: text(meta.keyIncarnation),
      replica: text(facts.keyReplica),
      principal: text(facts.keyPrincipal),
      seq: number(meta.keySeq),
      head: number(facts.keyHead),
      pending: count(0),
      suspended: count(1),
      rejected: count(2),
      unsealed: captured(r),
      staged: count(3),
      proven: number(facts.keyProven) !== 0,
      repair: text(facts.keyRepair),
      contact: number(facts.keyContact),
      readOnly: number(facts.keyReadOnly) !== 0,
      out: new Map(r.schema.tables.filter((t) => t.out).map((t) => [t.name, t.out])),
      stopped: text(facts.keyStopped),
      scoped: scoped(r.server),
      only: number(facts.keyOnly) !== 0,
      filling: count(4),
      unasked: number(facts.keyWants) !== number(facts.keyAnswered),
    };
  });
}
