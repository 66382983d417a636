import { expect, test } from "vitest";
import { ANEW, atOnce, type Work } from "../../src/lite/work.ts";
import { Origin } from "./fixture.ts";

const DDL = `
  CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
  CREATE TABLE pet (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES person (id), name TEXT)`;

/** All that a device holds, but for when it did what. */
function dump(d: ReturnType<Origin["clone"]>): unknown {
  const names: string[] = [];
  d.db.each("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name", (s) => names.push(s.text(0)));
  return names.map((name) => {
    const rows: unknown[] = [];
    d.db.each(`SELECT * FROM "${name}" ORDER BY 1, 2`, (s) => rows.push(s.row()));
    return [name, rows];
  });
}

/** A server and two copies that have the same pending changesets on the same rows. */
function stage() {
  const o = new Origin(DDL);
  const many = (n: number, sql: string): string =>
    `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${n}) ${sql}`;
  o.do(many(200, "INSERT INTO person SELECT i, 'person ' || i FROM n"));
  o.do(many(200, "INSERT INTO pet SELECT i, i, 'pet ' || i FROM n"));
  const [plain, cut] = [o.clone(), o.clone()];
  for (const d of [plain, cut]) {
    for (let i = 1; i < 60; i++) d.commit(`UPDATE pet SET name = 'mine ${i}' WHERE id = ${i}`);
    d.commit("INSERT INTO person VALUES (500, 'taken')");
    d.commit("INSERT INTO pet VALUES (500, 500, 'hers')");
  }
  o.db.script("UPDATE pet SET owner = owner % 200 + 1");
  o.db.script("INSERT INTO person VALUES (501, 'taken')");
  const batch = o.do("DELETE FROM pet WHERE id BETWEEN 150 AND 170");
  return { plain, cut, batch };
}

/** Does work, and has it begin anew at its n-th yield; whether it came to that. */
function anewAt<T>(work: Work<T>, n: number): boolean {
  for (let i = 1; ; i++) {
    if (work.next().done) return false;
    if (i < n) continue;
    work.throw(ANEW);
    atOnce(work);
    return true;
  }
}

// A step of a rebase with suspensions may be undone and begun anew at every
// place where it lets others in, and ends in the same state.
test("work that is begun anew at any yield does the same", () => {
  let yields = 0;
  for (let n = 1; ; n += 4) {
    const { plain, cut, batch } = stage();
    const before = dump(cut);
    plain.now = cut.now;
    atOnce(plain.r.apply(batch, [], 1000));
    const work = cut.r.apply(batch, [], 1000);
    const more = anewAt(work, n);
    expect(dump(cut), `yield ${n}`).toEqual(dump(plain));
    expect(dump(cut)).not.toEqual(before);
    if (!more) break;
    yields++;
  }
  expect(yields).toBeGreaterThan(5);
});

test("work that is given up at any yield leaves what was, and is done again later", () => {
  let yields = 0;
  for (let n = 1; ; n += 4) {
    const { cut, batch } = stage();
    const before = dump(cut);
    const work = cut.r.apply(batch, [], 1000);
    let i = 0;
    while (i < n && !work.next().done) i++;
    if (i < n) break;
    yields++;
    work.return(undefined as never);
    expect(cut.db.inTransaction).toBe(false);
    expect(dump(cut), `yield ${n}`).toEqual(before);
    expect(cut.applyWell(batch).suspended).toHaveLength(2);
  }
  expect(yields).toBeGreaterThan(4);
});

test("verifying and repairing may be begun anew, too", () => {
  const o = new Origin(DDL);
  o.do(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO person SELECT i, i FROM n",
  );
  const d = o.clone();
  const sum = (): unknown => atOnce(d.r.confirmedRanges(1, null, null, [[100n], [200n]]));
  const whole = sum();
  for (const n of [1, 3, 5]) {
    const work = d.r.confirmedRanges(1, null, null, [[100n], [200n]]);
    for (let i = 0; i < n; i++) expect(work.next().done).toBe(false);
    work.throw(ANEW);
    expect(atOnce(work)).toEqual(whole);
  }
  const keys = atOnce(d.r.splitKeys(1, null, null, 4));
  const again = d.r.splitKeys(1, null, null, 4);
  again.next();
  again.throw(ANEW);
  expect(atOnce(again)).toEqual(keys);
  expect(anewAt(d.r.prove(3), 2)).toBe(true);
  expect([sum(), d.r.status().proven]).toEqual([whole, true]);
});
