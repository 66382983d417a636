import { expect } from "vitest";
import { keyID } from "../src/key.ts";
import type { Database } from "../src/lite/database.ts";
import { atOnce } from "../src/lite/work.ts";
import type { Replica } from "../src/replica/replica.ts";
import { newTally } from "../src/replica/tally.ts";
import { scan } from "../src/row/row.ts";
import { keyOf, scoped } from "../src/schema.ts";
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
 * stored sums are those of the confirmed rows, a row is here that is in a scope, and the connection is the app's
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
  if (scoped(r.server)) {
    scopesAreSound(r);
    return;
  }
  const counted = newTally(r);
  counted.load();
  for (const t of r.schema.tables) if (t.out === "") counted.count(t);
  expect(counted.total()).toBe(stored.total());
}

function scopesAreSound(r: Replica): void {
  const { db } = r;
  const sums = "SELECT name, sum FROM _tm_scope ORDER BY name";
  const stored = all(db, sums);
  const counted = newTally(r);
  db.transaction(() => {
    counted.countScopes();
    counted.save();
  });
  expect(all(db, sums)).toEqual(stored);
  expect(all(db, "SELECT * FROM _tm_member WHERE s NOT IN (SELECT i FROM _tm_scope)")).toEqual([]);
  expect(
    all(
      db,
      "SELECT * FROM _tm_lost l WHERE NOT EXISTS (SELECT 1 FROM _tm_pending_row p WHERE p.t = l.t AND p.key = l.key)",
    ),
  ).toEqual([]);
  const pending = new Set(all(db, "SELECT t || ':' || hex(key) FROM _tm_pending_row").map(([id]) => id));
  const members = new Set(all(db, "SELECT t || ':' || hex(key) FROM _tm_member").map(([id]) => id));
  for (const t of r.schema.tables) {
    if (t.out !== "") continue;
    atOnce(
      scan(db, t, null, null, 0, (row) => {
        const id = `${t.id}:${Buffer.from(keyID(t, keyOf(t, row)), "latin1")
          .toString("hex")
          .toUpperCase()}`;
        expect(members.has(id) || pending.has(id), `${t.name} ${row} is in no scope`).toBe(true);
      }),
    );
  }
}
