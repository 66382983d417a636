import fc from "fast-check";
import { expect, test, vi } from "vitest";
import type { Step, TransactionAnswer } from "../../src/tabs/messages.ts";
import type { Copy } from "../../src/worker/copy.ts";
import { codeOf, newCopy, statement } from "./fixture.ts";

const DDL = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER CHECK (n < 1000000))";

const write = (sql: string, ...params: Step["params"]): Step => ({ ...statement(sql, ...params), reads: false });
const read = (sql: string): Step => ({ ...statement(sql), reads: true });

/** Plays the part of a tab: sends one step after the other, everything again when that is wanted. */
class Player {
  readonly steps: Step[] = [];
  mark = "";
  again = 0;
  readonly #copy: Copy;
  readonly #id: string;

  constructor(copy: Copy, id: string) {
    this.#copy = copy;
    this.#id = id;
  }

  send(steps: Step[], commit = false): TransactionAnswer {
    const known = this.steps.length;
    this.steps.push(...steps);
    const ask = (from: number): TransactionAnswer =>
      this.#copy.transactions.take("tab", 1, {
        id: this.#id,
        from,
        known,
        mark: this.mark,
        steps: this.steps.slice(from),
        commit,
      });
    let a = ask(known);
    if (a === "gone") {
      this.again++;
      a = ask(0);
    }
    if (typeof a === "object") this.mark = a.mark;
    return a;
  }
}

const count = (copy: Copy): unknown => {
  copy.transactions.yield();
  return copy.statements.query(statement("SELECT count(*), sum(n) FROM t")).rows[0];
};

test("steps see each other and are one changeset", () => {
  const { copy, touched } = newCopy(DDL);
  const p = new Player(copy, "a");
  p.send([write("INSERT INTO t VALUES (1, 1)")]);
  expect(p.send([read("SELECT n FROM t")])).toMatchObject({ results: [{ done: { rows: [[1]] } }] });
  expect(p.send([write("INSERT INTO t VALUES (1, 2)")])).toMatchObject({ results: [{ error: { code: "unique" } }] });
  expect(touched).toHaveLength(0);
  expect(p.send([], true)).toMatchObject({ results: [] });
  expect(p.again).toBe(0);
  expect(count(copy)).toEqual([1, 1]);
  copy.replica.seal(1);
  expect(copy.replica.pending(true)).toMatchObject([{ n: 1, changes: [{ op: 1 }] }]);
});

test("one that was rolled back meanwhile is played again; when it reads something else it is not committed", () => {
  const { copy } = newCopy(DDL);
  const p = new Player(copy, "a");
  p.send([read("SELECT count(*) FROM t"), write("INSERT INTO t VALUES (1, 1)")]);
  expect(count(copy)).toEqual([0, null]);
  p.send([write("INSERT INTO t VALUES (2, 2)")]);
  expect(p.again).toBe(1);
  copy.transactions.yield();
  copy.write({ tab: "other", id: 1, again: false }, () =>
    copy.statements.exec(statement("INSERT INTO t VALUES (9, 9)")),
  );
  expect(p.send([], true)).toBe("changed");
  expect(count(copy)).toEqual([1, 9]);
});

test("what others inserted meanwhile changes nothing of what a statement did", () => {
  const { copy } = newCopy(DDL);
  const other = (id: number): unknown =>
    copy.write({ tab: "other", id, again: false }, () =>
      copy.statements.exec(statement("INSERT INTO t VALUES (?, 0)", id)),
    );
  other(1);
  const p = new Player(copy, "a");
  expect(p.send([write("UPDATE t SET n = 2 WHERE id = 1")])).toMatchObject({ results: [{ done: { lastId: 0 } }] });
  copy.transactions.yield();
  other(80);
  expect(p.send([write("INSERT INTO t VALUES (7, 7)")])).toMatchObject({ results: [{ done: { lastId: 7 } }] });
  expect(p.again).toBe(1);
  copy.transactions.yield();
  other(90);
  expect(p.send([read("SELECT last_insert_rowid()")], true)).toMatchObject({ results: [{ done: { rows: [[7]] } }] });
  expect(count(copy)).toEqual([4, 9]);
});

test("what has nothing to do with a statement is no result of it: the transaction ends", () => {
  const { copy } = newCopy(`${DDL}; CREATE TABLE big (id INTEGER PRIMARY KEY, b BLOB)`);
  const endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
  const failure = (step: Step, until: number): string =>
    codeOf(() =>
      copy.statements.within(until, () => {
        const p = new Player(copy, step.sql);
        p.send([write("INSERT INTO t VALUES (1, 1)")]);
        p.send([step]);
      }),
    );
  expect(failure(read(endless), performance.now() + 5)).toBe("busy");
  expect(copy.db.inTransaction).toBe(false);
  copy.db.run(`PRAGMA max_page_count = ${copy.db.int("PRAGMA page_count") + 1}`);
  expect(failure(write("INSERT INTO big VALUES (1, zeroblob(1e6))"), Number.POSITIVE_INFINITY)).toBe("disk_full");
  expect(copy.db.inTransaction).toBe(false);
  copy.db.run("PRAGMA max_page_count = 1000000");
  expect(failure(write("INSERT OR ROLLBACK INTO t VALUES (1, 2)"), Number.POSITIVE_INFINITY)).toBe("usage");
  expect(count(copy)).toEqual([0, null]);
});

test("silence gives the database free", () => {
  vi.useFakeTimers();
  try {
    const { copy } = newCopy(DDL);
    const p = new Player(copy, "a");
    p.send([write("INSERT INTO t VALUES (1, 1)")]);
    expect(copy.db.inTransaction).toBe(true);
    vi.advanceTimersByTime(1000);
    expect(copy.db.inTransaction).toBe(false);
    expect(p.send([], true)).toMatchObject({ results: [] });
    expect(p.again).toBe(1);
    expect(count(copy)).toEqual([1, 1]);
  } finally {
    vi.useRealTimers();
  }
});

test("however transactions of tabs are woven together, their result is that of some order", () => {
  const plan = fc.array(fc.record({ who: fc.integer({ min: 0, max: 2 }), interrupt: fc.boolean() }), {
    minLength: 3,
    maxLength: 24,
  });
  fc.assert(
    fc.property(plan, (turns) => {
      const { copy } = newCopy(DDL);
      copy.write({ tab: "x", id: 1, again: false }, () =>
        copy.statements.exec(statement("INSERT INTO t VALUES (1, 0)")),
      );
      const players = [0, 1, 2].map((i) => ({ p: new Player(copy, `p${i}`), at: 0, n: 0, done: false }));
      let committed = 0;
      let runs = 0;
      const turn = (one: (typeof players)[number], i: number): void => {
        if (one.done) return;
        // Reads the counter, then writes it one higher: lost updates would show.
        if (one.at === 0) {
          one.p = new Player(copy, `p${i}-${++runs}`);
          const a = one.p.send([read("SELECT n FROM t WHERE id = 1")]);
          one.n = Number(typeof a === "object" && "done" in a.results[0]! ? a.results[0].done.rows[0]![0] : Number.NaN);
          one.at = 1;
          return;
        }
        const steps = one.at === 1 ? [write("UPDATE t SET n = ? WHERE id = 1", one.n + 1)] : [];
        const a = one.p.send(steps, one.at === 2);
        if (a === "changed") one.at = 0;
        else if (++one.at === 3) {
          one.done = true;
          committed++;
        }
      };
      for (const { who, interrupt } of turns) {
        turn(players[who]!, who);
        if (interrupt) copy.transactions.yield();
      }
      for (let i = 0; i < 50 && players.some((p) => !p.done); i++) turn(players[i % 3]!, i % 3);
      expect(count(copy)).toEqual([1, committed]);
    }),
    { numRuns: 40 },
  );
});
