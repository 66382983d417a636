import { install } from "../capture/install.ts";
import { Hasher } from "../digest/digest.ts";
import { TidemarkError } from "../error.ts";
import type { Database } from "../lite/database.ts";
import type { Work } from "../lite/work.ts";
import * as meta from "../meta/meta.ts";
import { decode } from "../schema/encode.ts";
import { type Schema, scoped } from "../schema.ts";
import { bytesOf } from "../value.ts";
import type { Want } from "../wire/scope.ts";
import type { SpaceState } from "../wire/state.ts";
import { asEngine, failure } from "./connection.ts";
import * as facts from "./facts.ts";
import { noScopes, saveWants } from "./scopes.ts";
import { Tally } from "./tally.ts";

/** Options of `Replica.create`. */
export interface CreateOptions {
  /** Address, kept in the file. */
  readonly server: string;
  readonly readOnly?: boolean;
  /** What the snapshot holds: the checkpoint that it is a copy of. */
  readonly state: Omit<SpaceState, "schemaHash">;
  /** As the server sent it. */
  readonly schema: string;
  /** What the file had before; it is put back when the bookkeeping is taken off. */
  readonly journal?: string;
  /** Of a space with scopes: those of `want` and no others. */
  readonly only?: boolean;
  /** Scopes by priority. */
  readonly want?: readonly Want[];
}

/**
 * Turns a snapshot into a replica: bookkeeping and capture triggers, in one
 * transaction. Fails with code corrupt when the rows do not have the sum that
 * the server told. The journal mode is the caller's business.
 */
export function* create(db: Database, o: CreateOptions): Work<void> {
  try {
    if (meta.adopted(db) !== "") throw new TidemarkError("exists", "the file belongs to Tidemark already");
    yield* asEngine(db, () => db.working(() => adopt(db, o, decode(o.schema))));
  } catch (err) {
    throw failure("create", err);
  }
}

function* adopt(db: Database, o: CreateOptions, schema: Schema): Work<void> {
  meta.create(db, "replica");
  db.script(facts.bookkeeping);
  for (const t of schema.tables) {
    db.run("INSERT OR REPLACE INTO main._tm_table (t, name) VALUES (?1, ?2)", BigInt(t.id), t.name);
  }
  yield* prove(db, schema, o.state);
  install(db, schema, o.readOnly === true);
  const { state } = o;
  facts.store(db, {
    [meta.keySpace]: state.space,
    [meta.keyIncarnation]: state.incarnation,
    [meta.keyTerm]: state.term,
    [meta.keySchema]: schema.hash,
    [meta.keySchemaBody]: bytesOf(o.schema),
    [meta.keyDigestKey]: state.digestKey,
    journal_mode: o.journal ?? "delete",
    [meta.keySeq]: BigInt(state.head),
    [meta.keySum]: scoped(schema) ? 0n : BigInt.asIntN(64, state.sum),
    [facts.keyHead]: BigInt(state.head),
    [facts.keyServer]: o.server,
    [facts.keyReplica]: "",
    [facts.keyTicket]: "",
    [facts.keyNext]: 1n,
    [facts.keyProven]: 1n,
    [facts.keyReadOnly]: facts.flag(o.readOnly === true),
  });
  keepWants(db, o, schema);
  markStructure(db);
}

/** Keeps what the replica is going to ask for. */
function keepWants(db: Database, { only = false, want = [] }: CreateOptions, schema: Schema): void {
  if (!scoped(schema)) {
    if (only || want.length > 0) throw noScopes("clone it without naming scopes");
    return;
  }
  saveWants(db, only, want);
  facts.store(db, { [facts.keyWants]: 1n });
}

/** Proves that the rows are those that the server sent. */
function* prove(db: Database, schema: Schema, state: CreateOptions["state"]): Work<void> {
  const tally = new Tally(db, schema, new Hasher(state.digestKey));
  yield* tally.load();
  const got = tally.total();
  if (got !== state.sum) {
    const digits = (n: bigint) => n.toString(16).padStart(16, "0");
    const message = `the snapshot's rows sum up to ${digits(got)}, the server said ${digits(state.sum)}`;
    throw new TidemarkError("corrupt", message, { hint: "remove what was downloaded and clone again" });
  }
  if (!scoped(schema)) tally.save(); // else there are no rows yet; sums are kept by scope
}

/** Remembers the structure that capture was made for. */
export function markStructure(db: Database): void {
  meta.setInt(db, meta.keyDDLVersion, db.int("PRAGMA main.schema_version"));
}
