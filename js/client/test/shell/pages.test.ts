import { expect, test } from "vitest";
import { Database } from "../../src/lite/database.ts";
import { loadSqlite } from "../../src/lite/load.ts";
import { MemoryStorage } from "../../src/storage/memory.ts";
import { BLOCK, PageFile } from "../../src/storage/pages.ts";

test("a file of blocks reads what was written, across their borders", () => {
  const f = new PageFile();
  f.write(Uint8Array.of(1, 2, 3), BLOCK - 1);
  expect([...f.dirty]).toEqual([0, 1]);
  expect(f.size).toBe(BLOCK + 2);
  const into = new Uint8Array(4).fill(9);
  expect(f.read(into, BLOCK - 2)).toBe(true);
  expect([...into]).toEqual([0, 1, 2, 3]);
  expect(f.read(into, BLOCK)).toBe(false);
  expect([...into]).toEqual([2, 3, 0, 0]);
  f.truncate(5);
  expect([f.size, f.blocks.length, [...f.dirty]]).toEqual([5, 1, [0]]);
});

test("SQLite lives on such files and tells which blocks a commit wrote", async () => {
  const sqlite = await loadSqlite();
  const storage = new MemoryStorage(sqlite, "pages-test");
  const db = Database.open(sqlite, "/db-1", storage.vfs);
  db.script(storage.pragmas);
  db.script("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)");
  db.transaction(() => {
    for (let i = 0; i < 2000; i++) db.run("INSERT INTO t (b) VALUES (?1)", `row ${i}`.repeat(10));
  });
  const file = Reflect.get(storage, "held").get("/db-1") as PageFile;
  file.dirty.clear();
  db.run("UPDATE t SET b = 'x' WHERE a = 7");
  expect(file.dirty.size).toBeLessThanOrEqual(2);
  file.dirty.clear();
  expect(() =>
    db.transaction(() => {
      db.run("DELETE FROM t");
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(file.dirty.size).toBe(0);
  expect(db.text("PRAGMA integrity_check")).toBe("ok");
  expect(db.int("SELECT count(*) FROM t")).toBe(2000);
  db.close();

  const again = Database.open(sqlite, "/db-1", storage.vfs);
  expect(again.text("SELECT b FROM t WHERE a = 7")).toBe("x");
  again.close();
  expect(storage.files()).toEqual(["/db-1"]);
});
