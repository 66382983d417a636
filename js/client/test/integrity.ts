import { expect } from "vitest";
import type { Database } from "../src/lite/database.ts";
import type { Replica } from "../src/replica/replica.ts";
import { newTally } from "../src/replica/tally.ts";
import type { Value } from "../src/value.ts";

/** All rows of a query. */
export function all(db: Database, sql: string): Value[][] {
  const rows: Value[][] = [];
  db.each(sql, (s) => rows.push(s.row()));
  return rows;
}

/**
 * Fails unless the replica's file is sound: SQLite says so, foreign keys hold,
 * a confirmed image is kept of exactly the rows that pending touches, the
 * stored sums are those of the confirmed rows, and the connection is the app's
 * again. It seals first.
 */
export function integrity(r: Replica): void {
  r.seal(r.now);
  const { db } = r;
  expect(db.text("PRAGMA integrity_check")).toBe("ok");
  expect(all(db, "PRAGMA foreign_key_check")).toEqual([]);
  expect(all(db, "SELECT DISTINCT t, key FROM _tm_pending_row ORDER BY t, key")).toEqual(
    all(db, "SELECT t, key FROM _tm_base ORDER BY t, key"),
  );
  expect(db.int("SELECT max(n) >= (SELECT v FROM _tm_meta WHERE k = 'next_n') FROM _tm_pending")).toBe(0);
  expect(db.int("SELECT count(*) FROM temp.sqlite_master WHERE name LIKE '\\_tm%' ESCAPE '\\'")).toBe(0);
  expect([db.setTriggers(true), db.setForeignKeys(true)]).toEqual([true, true]);
  const stored = newTally(r);
  stored.load();
  const counted = newTally(r);
  counted.load();
  for (const t of r.schema.tables) if (t.out === "") counted.count(t);
  expect(counted.total()).toBe(stored.total());
}
