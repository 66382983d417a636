import { beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { type Change, INSERT } from "../../src/change.ts";
import { ANEW, type Work } from "../../src/lite/work.ts";
import { keySum, value } from "../../src/meta/meta.ts";
import type { Applied } from "../../src/replica/apply.ts";
import type { Boot, Method, Shared } from "../../src/tabs/messages.ts";
import type { Patch } from "../../src/watch/watches.ts";
import { answer } from "../../src/worker/calls.ts";
import type { Copy } from "../../src/worker/copy.ts";
import { Host } from "../../src/worker/host.ts";
import { aside, Slices } from "../../src/worker/slices.ts";
import { nextTurn } from "../../src/worker/turns.ts";
import { newCopy, sqlite, statement } from "./fixture.ts";

const DDL = "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)";
const COUNT = "SELECT count(*), coalesce(sum(n), 0) FROM t";

// The second look at the clock finds that a slice is over.
beforeEach(() => {
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => (now += 4));
  vi.useFakeTimers({ toFake: ["setInterval"] }); // nobody looks after a storage that is not there
  onTestFinished(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
});

const turn = (): Promise<void> => new Promise(nextTurn);

/** What comes in: rows from..to, each with n = 1. */
function incoming(copy: Copy, from: number, to: number): Work<Applied> {
  const { replica } = copy;
  const t = replica.schema.tables[0]!;
  const changes: Change[] = [];
  let sum = BigInt.asUintN(64, value(copy.db, keySum) as bigint);
  for (let id = BigInt(from); id < to; id++) {
    changes.push({
      table: t.id,
      op: INSERT,
      key: [id],
      columns: [],
      values: [id, 1n],
      old: null,
      edits: null,
      madeAt: 0,
    });
    sum = BigInt.asUintN(64, sum + replica.hasher.row(t, [id, 1n]));
  }
  const { seq } = replica.status();
  const head = { type: "batch", from: seq, to: seq + 1, term: "t", schema: replica.server.hash } as const;
  return replica.apply({ ...head, sum, more: false, cursor: "", changes, raw: "", parts: [] }, [], 1);
}

const cells = (copy: Copy, sql = COUNT): unknown => {
  const on = copy.beside?.statements ?? copy.statements;
  return on.query(statement(sql)).rows;
};

/** Does work to its end and returns how many turns it left to others, in each of which `between` is called. */
async function drive<T>(
  slices: Slices,
  copy: Copy,
  work: Work<T>,
  between: () => void,
): Promise<{ turns: number; result: T }> {
  let result: T | undefined;
  slices.do(
    copy,
    work,
    (r) => {
      result = r;
    },
    (err) => {
      throw err;
    },
  );
  let turns = 0;
  for (; slices.busy; turns++) {
    between();
    await turn();
  }
  // It is set when nothing is busy.
  return { turns, result: result as T };
}

test("what is long goes on in slices, between which readers see the state before it", async () => {
  const { copy } = newCopy(DDL);
  const slices = new Slices();
  await drive(slices, copy, incoming(copy, 0, 10), () => {});
  await turn();
  const seen: unknown[] = [];
  const { turns, result } = await drive(slices, copy, incoming(copy, 10, 1000), () => seen.push(cells(copy)));
  expect(turns).toBeGreaterThan(10);
  expect(new Set(seen.map(String))).toEqual(new Set(["10,10"]));
  expect([cells(copy), result.repair, result.rows, copy.replica.status().proven]).toEqual([
    [[1000, 1000]],
    "",
    990,
    true,
  ]);
  expect(copy.beside).toBeUndefined();
});

test("the file's rows, indexes and structure stay as they were for readers, whatever the work does", async () => {
  const { copy } = newCopy(`${DDL}; CREATE INDEX t_n ON t (n)`);
  const slices = new Slices();
  copy.db.script(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO t SELECT i, i FROM n",
  );
  function* wild(): Work<void> {
    for (let again = true; again; ) {
      try {
        yield* copy.db.working(function* () {
          yield;
          for (const sql of [
            "DELETE FROM t WHERE id % 3 = 0",
            "UPDATE t SET n = -n",
            "DROP INDEX t_n",
            "ALTER TABLE t ADD COLUMN m",
          ]) {
            copy.db.run(sql);
            yield;
          }
        });
        again = false;
      } catch {
        yield;
      }
    }
  }
  const check = (): void => {
    expect(cells(copy, "SELECT count(*), sum(n) FROM t WHERE n > 0")).toEqual([[5000, 12_502_500]]);
    expect(cells(copy, "SELECT count(*), sum(n) FROM t INDEXED BY t_n WHERE n > 4990")).toEqual([[10, 49_955]]);
    expect(cells(copy, "PRAGMA integrity_check(t)")).toEqual([["ok"]]);
  };
  const { turns } = await drive(slices, copy, wild(), check);
  expect(turns).toBeGreaterThan(3);
  expect(cells(copy, "SELECT count(*), sum(n) < 0, sum(m) FROM t")).toEqual([[3334, 1, null]]);
  copy.db.script("DROP TABLE t");
  copy.db.script(`${DDL}; CREATE INDEX t_n ON t (n)`);
});

test("work that is given up leaves nothing, and the copy goes on", async () => {
  const { copy } = newCopy(DDL);
  const slices = new Slices();
  let told = 0;
  slices.do(
    copy,
    incoming(copy, 0, 500),
    () => told++,
    () => told++,
  );
  await turn();
  expect([slices.busy, copy.db.inTransaction]).toEqual([true, true]);
  slices.stop();
  await turn();
  expect([slices.busy, copy.db.inTransaction, told, cells(copy)]).toEqual([false, false, 0, [[0, 0]]]);
  // The app's triggers are on again: what it writes is captured.
  copy.write({ tab: "tab", id: 1, again: false }, () => copy.statements.exec(statement("INSERT INTO t VALUES (1, 1)")));
  copy.replica.seal(2);
  expect(copy.replica.status().pending).toBe(1);
});

test("work that fails is told of, and the gate opens", async () => {
  const { copy } = newCopy(DDL);
  const slices = new Slices();
  function* broken(): Work<void> {
    yield;
    throw new Error("broken");
  }
  let why: unknown;
  slices.do(
    copy,
    broken(),
    () => {},
    (err) => (why = err),
  );
  await slices.free();
  expect([slices.busy, String(why)]).toEqual([false, "Error: broken"]);
});

test("work that fails as soon as it is begun anew leaves no checkpoint put off", async () => {
  const { copy } = newCopy(DDL);
  const slices = new Slices();
  function* broken(): Work<void> {
    try {
      yield* copy.db.working(function* () {
        for (;;) yield;
      });
    } catch (err) {
      expect(err).toBe(ANEW);
    }
    yield;
    throw new Error("broken");
  }
  let why: unknown;
  slices.do(
    copy,
    broken(),
    () => {},
    (err) => (why = err),
  );
  expect([slices.busy, String(why), copy.db.int("PRAGMA wal_autocheckpoint")]).toEqual([false, "Error: broken", 0]);
  await turn();
  expect(copy.db.int("PRAGMA wal_autocheckpoint")).toBe(1000);
});

test("who waited comes between two long steps", async () => {
  const { copy } = newCopy(DDL);
  const slices = new Slices();
  const order: string[] = [];
  const fail = (err: unknown): void => {
    throw err;
  };
  slices.do(
    copy,
    incoming(copy, 0, 300),
    () => {
      order.push("first");
      slices.do(copy, incoming(copy, 300, 600), () => order.push("second"), fail);
    },
    fail,
  );
  const waits = async (name: string): Promise<void> => {
    await slices.free();
    copy.write({ tab: name, id: 1, again: false }, () =>
      copy.statements.exec(statement("INSERT INTO t VALUES (?, 0)", name === "a" ? 1001 : 1002)),
    );
    order.push(name);
  };
  await Promise.all([waits("a"), waits("b")]);
  while (order.length < 4) await turn();
  expect(order).toEqual(["first", "a", "b", "second"]);
  expect(cells(copy)).toEqual([[602, 600]]);
});

test("where there are TEMP tables, reads wait", async () => {
  const { copy } = newCopy(DDL);
  const slices = new Slices();
  copy.db.script("CREATE TEMP TABLE t (id, n); INSERT INTO temp.t VALUES (1, 7)");
  const seen: unknown[] = [];
  await drive(slices, copy, incoming(copy, 0, 300), () => seen.push(copy.beside));
  expect(new Set(seen)).toEqual(new Set([null]));
  expect(cells(copy)).toEqual([[1, 7]]);
  copy.db.script("DROP TABLE temp.t");
  expect(cells(copy)).toEqual([[300, 300]]);
});

test("work aside is undone when it is given up, at once", async () => {
  const { copy } = newCopy(DDL);
  const undone: string[] = [];
  const going = (steps: number) =>
    function* (): Work<number> {
      try {
        for (let i = 0; i < steps; i++) yield;
        return steps;
      } finally {
        undone.push(`end ${steps}`);
      }
    };
  const never = new AbortController().signal;
  expect(await aside(going(5)(), never, () => undone.push("undo"))).toBe(5);
  expect(undone).toEqual(["end 5"]);
  const ctl = new AbortController();
  const work = aside(going(1e9)(), ctl.signal, () => undone.push("undo"));
  await turn();
  ctl.abort(new Error("it ends"));
  expect(undone.slice(1)).toEqual(["end 1000000000", "undo"]);
  await expect(work).rejects.toThrow("it ends");
  expect(undone).toHaveLength(3);
  expect(copy.db.inTransaction).toBe(false);
});

/** A host with a copy whose rows are there, and no network. */
function hosted(): { host: Host; copy: Copy; told: Shared[]; patches: Patch[] } {
  const { copy } = newCopy(DDL);
  const told: Shared[] = [];
  const patches: Patch[] = [];
  const boot: Boot = {
    ...{ type: "boot", name: "x", leader: "l", tab: "tab", version: [1, 0, 0] as unknown as Boot["version"] },
    ...{ server: "http://127.0.0.1/s", transport: "auto", storage: "memory", why: "", online: false, hasToken: false },
    ...{ wasm: undefined, rescued: null, scopes: null },
  };
  const host = new Host(
    boot,
    {
      status: (s) => told.push(s),
      event: () => {},
      patches: (list) => patches.push(...list),
      presence: () => {},
      token: async () => "",
      restart: () => {},
    },
    {},
  );
  host.sqlite = sqlite;
  host.use(copy);
  host.ready();
  onTestFinished(async () => {
    host.copy = null; // it is looked at when the host has ended
    await host.end();
  });
  return { host, copy, told, patches };
}

let calls = 0;

function call(
  host: Host,
  method: Method,
  args: unknown = null,
  { again = false, tab = "tab", signal = new AbortController().signal } = {},
): Promise<unknown> {
  return answer(host, { type: "call", tab, id: ++calls, method, args, left: 1e9, again }, signal);
}

const fail = (err: unknown): void => {
  throw err;
};

test("reads are answered beside a long step, everything else behind it, in order", async () => {
  const { host, copy } = hosted();
  host.slices.do(copy, incoming(copy, 0, 2000), () => {}, fail);
  const done: string[] = [];
  const ask = (method: Method, args: unknown = null, again = false): Promise<void> =>
    call(host, method, args, { again, tab: "writer" }).then(
      () => void done.push(method),
      (err) => void done.push(`${method}: ${err.code}`),
    );
  const written = ask("exec", statement("INSERT INTO t VALUES (5000, 5)"));
  const later = [
    ask("query", statement("SELECT * FROM nothing")),
    ask("query", statement("DELETE FROM t")),
    ask("pending"),
    ask("rejected"),
    ask("conflicts", {}),
    ask("inspect"),
    ask("scopes"),
    ask("exportFile"),
    ask("discard", 7),
    ask("transaction", { id: "x", from: 0, known: 0, mark: "", steps: [], commit: true }),
    ask("unwatch", 1, true),
    ask("wipe", false),
  ];
  const read = await call(host, "query", statement(COUNT));
  const same = await call(host, "exec", statement(COUNT));
  const watched = await call(host, "watch", statement(COUNT));
  expect([host.slices.busy, done]).toEqual([true, []]);
  expect([read, same, watched]).toMatchObject([
    { rows: [[0, 0]] },
    { rows: [[0, 0]], changes: 0 },
    { whole: { rows: [[0, 0]] } },
  ]);
  await call(host, "unwatch", 99);
  await call(host, "present", { scope: "s", state: null });
  expect([host.slices.busy, done]).toEqual([true, []]);
  await written;
  expect(await call(host, "query", statement(COUNT))).toMatchObject({ rows: [[2001, 2005]] });
  await Promise.all(later);
  expect(done.toSorted()).toEqual([
    ...["conflicts", "discard: not_found", "exec", "exportFile", "inspect", "pending", "query: usage", "query: usage"],
    ...["rejected", "scopes", "transaction", "unwatch", "wipe: pending"],
  ]);
});

test("a tab reads what it wrote, whether it waited for that or not", async () => {
  const { host, copy } = hosted();
  host.slices.do(copy, incoming(copy, 0, 2000), () => {}, fail);
  const insert = statement("INSERT INTO t (n) VALUES (5)");
  const gone = new AbortController();
  const given = call(host, "exec", insert, { signal: gone.signal });
  const answered: Method[] = [];
  const ask = (method: Method, s = statement(COUNT)): Promise<unknown> =>
    call(host, method, s).finally(() => answered.push(method));
  const first = [ask("exec", insert), ask("query"), ask("exec")];
  const second = [ask("exec", insert), ask("watch")];
  const tired = new AbortController();
  const flushed = call(host, "flushed", null, { signal: tired.signal }).catch((err) => err.message);
  // Others go on.
  const other = await call(host, "query", statement(COUNT), { tab: "other" });
  expect([host.slices.busy, answered, other]).toMatchObject([true, [], { rows: [[0, 0]] }]);
  gone.abort(new Error("given up"));
  await expect(given).rejects.toThrow("given up");
  const [, read, same] = await Promise.all(first);
  const [, live] = await Promise.all(second);
  expect([read, same, live]).toMatchObject([
    { rows: [[2001, 2005]] },
    { rows: [[2001, 2005]] },
    { whole: { rows: [[2002, 2010]] } },
  ]);
  await turn();
  tired.abort(new Error("they are pending"));
  expect(await flushed).toBe("they are pending");
  // With the writes done, it reads beside the next step.
  host.slices.do(copy, incoming(copy, 3000, 5000), () => {}, fail);
  await ask("query");
  expect(host.slices.busy).toBe(true);
});

test("live queries run beside a long step, and again behind it", async () => {
  const { host, copy, patches } = hosted();
  await call(host, "watch", statement(COUNT));
  await call(host, "exec", statement("INSERT INTO t VALUES (5000, 5)"));
  host.committed(null);
  host.slices.do(copy, incoming(copy, 0, 2000), () => host.committed(null), fail);
  while (host.slices.busy) await turn();
  const beside = patches.map((p) => JSON.stringify(p.parts ?? p.whole?.rows));
  expect(beside).toHaveLength(1);
  while (patches.length < 2) await turn();
  expect(await call(host, "query", statement(COUNT))).toMatchObject({ rows: [[2001, 2005]] });
  expect(JSON.stringify(patches[1])).toContain("2005");
});

test("what is pending is told also when a tab begins a transaction meanwhile", async () => {
  const { host, copy } = hosted();
  host.slices.do(copy, incoming(copy, 0, 2000), () => {}, fail);
  const written = call(host, "exec", statement("INSERT INTO t VALUES (5000, 5)"));
  const pending = call(host, "pending");
  const insert = { ...statement("INSERT INTO t VALUES (5001, 1)"), reads: false };
  const begun = call(host, "transaction", { id: "x", from: 0, known: 0, mark: "", commit: false, steps: [insert] });
  await Promise.all([written, begun]);
  expect(await pending).toMatchObject([{ n: 1, changes: [{ key: { id: 5000 } }] }]);
});

test("a status in the middle of a long step is that of before it", async () => {
  const { host, copy } = hosted();
  const before = host.status.now();
  host.slices.do(copy, incoming(copy, 0, 2000), () => {}, fail);
  expect([host.slices.busy, copy.replica.status().seq, host.status.now()]).toEqual([true, 0, before]);
  for (let i = 0; i < 10; i++) await turn();
  expect([host.slices.busy, host.status.now()]).toEqual([true, before]);
  await host.slices.free();
  expect(host.status.now()).toMatchObject({ seq: 1, pending: 0 });
});

test("what a tab has not committed is not pending", async () => {
  const { host } = hosted();
  const step = { id: "x", from: 0, known: 0, mark: "", commit: false };
  const insert = { ...statement("INSERT INTO t VALUES (1, 1)"), reads: false };
  await call(host, "transaction", { ...step, steps: [insert] });
  expect(host.status.now().pending).toBe(0);
  await call(host, "exec", statement("INSERT INTO t VALUES (2, 2)"));
  await call(host, "transaction", { ...step, steps: [insert] });
  expect(host.status.now().pending).toBe(1);
});

test("who waits until nothing is pending does not wait for a transaction that comes to nothing", async () => {
  const { host } = hosted();
  const insert = { ...statement("INSERT INTO t VALUES (1, 1)"), reads: false };
  await call(host, "transaction", { id: "x", from: 0, known: 0, mark: "", commit: false, steps: [insert] });
  const flushed = call(host, "flushed");
  await call(host, "rollback", "x");
  expect(await flushed).toBeNull();
});

test("the events of the loop wait for a long step, in order", async () => {
  const { host, copy } = hosted();
  const shell = host.shell!;
  const order: string[] = [];
  const work = vi.spyOn(host.slices, "do").mockImplementation((_, w, then) => {
    order.push("begin");
    held.push(() => {
      let s = w.next();
      while (!s.done) s = w.next();
      then(s.value);
    });
  });
  const held: (() => void)[] = [];
  const ends = (name: string) => (): void => void order.push(name);
  const gone = new AbortController();
  shell.step({ type: "local" }, null, ends("local"));
  shell.step({ type: "start" }, null, ends("start"));
  shell.step({ type: "connected" }, gone.signal, ends("connected"));
  shell.step({ type: "tick" }, null, ends("tick"));
  shell.step({ type: "hangup" }, null, ends("hangup"));
  gone.abort();
  const rests = shell.rest().then(ends("rest"));
  const settled = shell.until(() => copy.replica.status().seq === 0, new AbortController().signal).then(ends("until"));
  expect([order, shell.state]).toEqual([["begin"], "offline"]);
  held.shift()!();
  held.shift()!();
  // Dialing has a timer of its own: the tick was of another.
  expect([order, shell.state]).toEqual([["begin", "local", "begin", "start", "begin"], "dialing"]);
  held.shift()!();
  await Promise.all([rests, settled]);
  expect([order.slice(5), shell.state]).toEqual([["hangup", "until", "rest"], "offline"]);
  work.mockRestore();
});

test("a storage that is lost in the middle of a long step leaves the state before it", async () => {
  const { host, copy } = hosted();
  await call(host, "exec", statement("INSERT INTO t VALUES (5000, 5)"));
  let file: Uint8Array | null = null;
  host.links.restart = (rescued) => {
    file = rescued.file;
  };
  host.slices.do(copy, incoming(copy, 0, 2000), () => {}, fail);
  // What waits is for the next worker, and what comes now.
  const told: Method[] = [];
  const ask = (method: Method, args: unknown = null): unknown =>
    call(host, method, args).finally(() => told.push(method));
  ask("exec", statement("INSERT INTO t VALUES (5001, 1)"));
  ask("flushed");
  await turn();
  expect(host.slices.busy).toBe(true);
  host.lost(new Error("the disk is gone"));
  ask("query", statement(COUNT));
  for (let i = 0; i < 10; i++) await turn();
  expect([host.slices.busy, copy.db.inTransaction, cells(copy), told]).toEqual([false, false, [[1, 5]], []]);
  expect(Buffer.compare(file ?? new Uint8Array(), copy.db.serialize())).toBe(0);
});

test("a database that was let go of is not touched any more", async () => {
  const { host, copy } = hosted();
  await call(host, "exec", statement("INSERT INTO t VALUES (1, 1)"));
  const waits = call(host, "flushed").catch((err) => err);
  vi.spyOn(copy, "close").mockImplementation(() => {}); // it is looked at when the test is over
  await host.end();
  const refused = { code: "usage", message: "the database is closed" };
  expect(await waits).toMatchObject(refused);
  await expect(call(host, "query", statement(COUNT))).rejects.toMatchObject(refused);
  await expect(call(host, "wipe", true)).rejects.toMatchObject(refused);
  vi.mocked(copy.close).mockRestore();
});

test("only what writes waits until it is stored", async () => {
  const { host } = hosted();
  let stored: () => void = () => {};
  let slow = true;
  const flush = () => (slow ? new Promise<void>((resolve) => (stored = resolve)) : undefined);
  Object.defineProperty(host, "storage", { get: () => ({ flush, close: () => {} }) });
  let done = false;
  const writing = call(host, "exec", statement("INSERT INTO t VALUES (1, 1)")).then(() => (done = true));
  expect(await call(host, "query", statement(COUNT))).toMatchObject({ rows: [[1, 1]] });
  expect(await call(host, "exec", statement(COUNT))).toMatchObject({ rows: [[1, 1]] });
  await call(host, "rejected");
  expect(done).toBe(false);
  slow = false;
  stored();
  await writing;
});
