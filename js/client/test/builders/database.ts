import { afterEach } from "vitest";
import type { Database, Param, RawResult, SqlValue, Transaction } from "../../src/database.ts";
import { Database as Lite } from "../../src/lite/database.ts";
import { loadSqlite } from "../../src/lite/load.ts";
import type { Value } from "../../src/value.ts";

const sqlite = await loadSqlite();

const open: Lite[] = [];
afterEach(() => {
  for (const db of open.splice(0)) db.close();
});

/** A database whose statements run at once, for what only needs raw and transaction. */
export interface Plain {
  readonly db: Database;
  readonly lite: Lite;
  /** Every statement that ran, those of transactions with a mark. */
  readonly ran: string[];
  /** How often the next transaction finds that what it read was changed, when it ends. */
  conflicts: number;
}

/** Opens one with a schema. */
export function plain(sql: string): Plain {
  const lite = Lite.open(sqlite, ":memory:");
  open.push(lite);
  lite.script(sql);
  const ran: string[] = [];
  const raw =
    (mark: string) =>
    async (text: string, params: readonly Param[] = []): Promise<RawResult> => {
      ran.push(mark + text);
      let columns: string[] = [];
      const rows: SqlValue[][] = [];
      const values = params.map(
        (p): Value => (typeof p === "boolean" ? BigInt(p) : Number.isInteger(p) ? BigInt(p as number) : p),
      );
      lite.each(
        text,
        (s) => {
          columns = Array.from({ length: s.columns }, (_, i) => s.columnName(i));
          rows.push(s.row().map((v) => (typeof v === "bigint" ? Number(v) : (v as SqlValue))));
        },
        ...values,
      );
      return { columns, rows, changes: lite.changes(), lastId: Number(lite.lastInsertRowid()) };
    };
  const tx: Partial<Transaction> = { raw: raw("tx: ") };
  const world: Plain = {
    lite,
    ran,
    conflicts: 0,
    db: {
      raw: raw(""),
      transaction: async (fn: (tx: Transaction) => Promise<unknown>) => {
        for (;;) {
          lite.run("BEGIN");
          try {
            const result = await fn(tx as Transaction);
            if (world.conflicts-- <= 0) {
              lite.run("COMMIT");
              return result;
            }
          } catch (err) {
            lite.run("ROLLBACK");
            throw err;
          }
          lite.run("ROLLBACK");
        }
      },
    } as unknown as Database,
  };
  return world;
}
