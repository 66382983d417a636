import type { Change } from "../change.ts";
import { INSERT } from "../change.ts";
import type { Code } from "../codes.ts";
import { TidemarkError } from "../error.ts";
import { violation } from "../lite/failure.ts";
import type { Schema, Table } from "../schema.ts";
import { keyOf } from "../schema.ts";
import { type Row, sameRow } from "../value.ts";
import { type Images, idOf, inOrder, type RowID, rowsOf, synced, tableOf } from "./base.ts";
import { causeOn } from "./identity.ts";
import { type Broken, pick } from "./references.ts";

/** What a misfit says. */
interface MisfitInit {
  readonly code: Code;
  readonly message: string;
  readonly table?: string;
  readonly key?: Row;
  readonly columns?: readonly string[];
  /** The suspended changeset that it builds on, 0 for none. */
  readonly on?: number;
  /** The row of the changeset that did not fit, where it is known. */
  readonly row?: RowID;
}

/** Says why a changeset cannot be put on top of the rows as they are. Thrown, never told as it is. */
export class Misfit {
  readonly is: MisfitInit;
  on: number;

  constructor(is: MisfitInit) {
    this.is = is;
    this.on = is.on ?? 0;
  }

  /** The cause of the suspension, as it is stored. */
  cause(): string {
    return this.on !== 0 ? causeOn(this.on) : this.is.code;
  }

  /** The error for a person who asked for the changes. */
  public(): TidemarkError {
    const { code, message, ...where } = this.is;
    return new TidemarkError(code, message, {
      ...where,
      hint: "change the data that is in the way, then retry; or retry it apart, or discard it",
    });
  }
}

/** A refusal of a row as a misfit; any other error as it is. */
export function asMisfit(t: Table, after: Row | null, err: unknown): unknown {
  const v = violation(err);
  if (!v) return err;
  const is = { code: v.code, message: v.message, table: t.name, columns: v.detail.columns ?? [] };
  if (!after) return new Misfit(is);
  const key = keyOf(t, after);
  return new Misfit({ ...is, key, row: idOf(t, key) });
}

/** The changesets that were suspended in a rebase: what later ones may have built on. */
export class Fallen {
  readonly touched = new Map<RowID, number>();
  /** Rows that they would have brought. */
  readonly arrived: Images = new Map();

  add(sc: Schema, n: number, changes: readonly Change[]): void {
    for (const c of changes) {
      const t = synced(sc, c.table);
      if (!t) continue;
      const ids = rowsOf(t, c);
      for (const id of ids) if (!this.touched.has(id)) this.touched.set(id, n);
      if (c.op === INSERT) this.arrived.set(ids[0]!, c.values);
      else if (ids.length === 2) this.arrived.set(ids[1]!, null);
    }
  }

  /** The suspended changeset that brought, or would have brought, one of the rows; 0 for none. */
  under(ids: Iterable<RowID>): number {
    for (const id of ids) {
      const n = this.touched.get(id);
      if (n !== undefined) return n;
    }
    return 0;
  }

  /** The suspended changeset that would have brought a row that a foreign key asks for; 0 for none. */
  parent(b: Broken): number {
    for (const id of inOrder(this.arrived.keys())) {
      if (tableOf(id) !== b.ref.parent.id) continue;
      const values = pick(this.arrived.get(id) ?? null, b.ref.to);
      if (values && sameRow(values, b.values)) return this.touched.get(id) ?? 0;
    }
    return 0;
  }
}
