import { onTestFinished } from "vitest";
import { Database } from "../../src/lite/database.ts";
import { loadSqlite } from "../../src/lite/load.ts";
import { Replica } from "../../src/replica/replica.ts";
import type { Schema } from "../../src/schema.ts";
import { MemoryStorage } from "../../src/storage/memory.ts";
import type { Statement } from "../../src/tabs/messages.ts";
import type { Touched } from "../../src/watch/watches.ts";
import { Copy, openFile } from "../../src/worker/copy.ts";
import { encode, inspect } from "../inspect.ts";
import { integrity } from "../integrity.ts";

export const sqlite = await loadSqlite();

let made = 0;

/** A copy in memory as the worker has it, with empty tables; what its commits touched is kept. */
export function newCopy(ddl: string, more: Partial<Schema> = {}): { copy: Copy; touched: (Touched | null)[] } {
  const storage = new MemoryStorage(sqlite, `shell-test-${++made}`);
  const plain = Database.open(sqlite, ":memory:");
  plain.script(ddl);
  const tables = plain.text(
    "SELECT json_group_object(name, rowid) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
  );
  // A JSON object of numbers, as it was just made.
  const schema = inspect(plain, new Map(Object.entries(JSON.parse(tables) as Record<string, number>)));
  plain.close();
  const db = openFile(sqlite, storage, "/db-1");
  db.script(ddl);
  const state = { space: "s", incarnation: "i", term: "t", head: 0, sum: 0n, digestKey: new Uint8Array(16) };
  Replica.create(db, { server: "http://127.0.0.1/s", state, schema: encode({ ...schema, ...more }) });
  const touched: (Touched | null)[] = [];
  const copy = new Copy("/db-1", db, {}, (t) => touched.push(t));
  onTestFinished(() => {
    copy.transactions.yield();
    integrity(copy.replica);
    copy.close();
  });
  return { copy, touched };
}

export const statement = (sql: string, ...params: Statement["params"]): Statement => ({ sql, params, bigint: false });

/** The error's code. */
export function codeOf(fn: () => unknown): string {
  try {
    fn();
  } catch (err) {
    return (err as { code?: string }).code ?? String(err);
  }
  return "";
}
