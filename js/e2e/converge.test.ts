import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createConnection, createServer, type Socket } from "node:net";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DatabaseEvent } from "../client/src/index.ts";
import {
  type Browser,
  browser,
  freeAddress,
  launch,
  openTab,
  run,
  type Served,
  scratch,
  serve,
  serveSite,
  sqlite3,
  until,
} from "./harness.ts";

const SCHEMA = `
  CREATE TABLE task (id TEXT NOT NULL PRIMARY KEY, title TEXT NOT NULL, votes INTEGER NOT NULL DEFAULT 0, due TEXT, code TEXT UNIQUE);
  INSERT INTO task (id, title, due) VALUES ('a', 'first', 'monday'), ('b', 'second', NULL);`;

const POLICIES = `tables:
  task:
    columns:
      votes: counter
      due: manual
`;

/** A way to a server that can be made slow, or be cut. */
interface Wire {
  readonly url: string;
  /** Milliseconds that everything takes in each direction; nothing overtakes what was sent before. */
  delay: number;
  close(): Promise<void>;
}

async function wireTo(url: string): Promise<Wire> {
  const { hostname, port } = new URL(url);
  const open = new Set<Socket>();
  const wire = { url: "", delay: 0, close: async () => {} };
  const server = createServer((near) => {
    const far = createConnection(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      let last = Promise.resolve();
      from.on("data", (bytes) => {
        const late = new Promise<void>((resolve) => setTimeout(resolve, wire.delay));
        last = last.then(() => late).then(() => void (to.writable && to.write(bytes)));
      });
      from.on("error", () => to.destroy());
      from.on("close", () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A server that listens on a port has an address of this kind.
  wire.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  wire.close = () =>
    new Promise((resolve) => {
      for (const s of open) s.destroy();
      server.close(() => resolve());
    });
  return wire;
}

/** All tasks as a page sees them. */
function tasks(page: Page): Promise<unknown[]> {
  return page.evaluate(() => window.db.query("SELECT id, title, votes, due, code FROM task ORDER BY id"));
}

/** All tasks in a file. */
async function tasksIn(file: string): Promise<unknown[]> {
  const out = await sqlite3(
    file,
    "SELECT json_group_array(json_object('id', id, 'title', title, 'votes', votes, 'due', due, 'code', code)) FROM (SELECT * FROM task ORDER BY id)",
  );
  return JSON.parse(out);
}

describe.skipIf(browser === "")("browsers, a Go client and sqlite3", () => {
  const dir = scratch();
  const file = join(dir.path, "tracker.sqlite");
  let site: Awaited<ReturnType<typeof serveSite>>;
  let where = "";
  let served: Served;
  let wire: Wire;
  const browsers: Browser[] = [];
  let ana: Page;
  let ben: Page;

  /** Opens the space in a browser of its own. */
  async function visit(name: string): Promise<Page> {
    const one = await launch(join(dir.path, name));
    browsers.push(one);
    const page = await openTab(one.context, site.url);
    await page.evaluate(
      async ([name, server]) => {
        window.db = await window.tidemark.open({ name: name!, server: server! });
        await window.db.ready;
      },
      [name, `${wire.url}/tracker`],
    );
    return page;
  }

  beforeAll(async () => {
    site = await serveSite();
    await sqlite3(file, SCHEMA);
    writeFileSync(join(dir.path, "tracker.tidemark.yaml"), POLICIES);
    where = await freeAddress();
    served = await serve([file], site.url, where);
    wire = await wireTo(served.url);
    ana = await visit("ana");
    ben = await visit("ben");
  });

  afterAll(async () => {
    for (const b of browsers) await b.close();
    await wire?.close();
    await served?.stop();
    dir.remove();
    await site?.close();
  });

  /** Waits until a page's query gives one row whose value is wanted. */
  const shows = (page: Page, sql: string, want: string): Promise<void> =>
    until(page, async (sql) => Object.values((await window.db.queryOne(sql)) ?? {}), [want], sql);

  const settled = (page: Page): Promise<void> =>
    page.evaluate(() => window.db.flushed().then(() => window.db.caughtUp()));

  test("a page follows what the others write", async () => {
    const copy = join(dir.path, "copy.sqlite");
    await run("clone", `${served.url}/tracker`, copy);
    await ana.evaluate(() => {
      const heard: unknown[] = [];
      window.kept.heard = heard;
      window.db.watch("SELECT title FROM task WHERE id = 'a'", [], (rows) => heard.push(rows[0]!.title));
    });
    await ben.evaluate(() => window.db.exec`UPDATE task SET title = ${"from ben"} WHERE id = 'a'`);
    await shows(ana, "SELECT title FROM task WHERE id = 'a'", "from ben");
    await sqlite3(file, "UPDATE task SET title = 'from the server' WHERE id = 'a'");
    await shows(ana, "SELECT title FROM task WHERE id = 'a'", "from the server");
    await run("sync", copy);
    await sqlite3(copy, "UPDATE task SET title = 'from Go' WHERE id = 'a'");
    await run("sync", copy);
    await shows(ana, "SELECT title FROM task WHERE id = 'a'", "from Go");
    await until(ana, () => (window.kept.heard as unknown[]).at(-1), "from Go");
    // Commits that come close together are told as one, in their order.
    const all = ["first", "from ben", "from the server", "from Go"];
    const heard = await ana.evaluate(() => window.kept.heard as string[]);
    expect(heard).toEqual(all.filter((title) => heard.includes(title)));
    expect(await tasks(ana)).toEqual(await tasksIn(copy));
  });

  test("edits made offline merge, meet, and roll back", async () => {
    for (const page of [ana, ben]) await page.evaluate(() => window.db.setNetwork(false));
    await ana.evaluate(async () => {
      const { db } = window;
      await db.exec`UPDATE task SET votes = votes + 2 WHERE id = 'b'`;
      await db.exec`UPDATE task SET due = ${"tuesday"} WHERE id = 'a'`;
      await db.exec`INSERT INTO task (id, title, code) VALUES ('c', 'of ana', 'X1')`;
    });
    await ben.evaluate(async () => {
      const { db } = window;
      const events: DatabaseEvent[] = [];
      window.kept.events = events;
      db.onEvent((e) => events.push(e));
      await db.exec`UPDATE task SET votes = votes + 3, title = 'by ben' WHERE id = 'b'`;
      await db.exec`UPDATE task SET due = ${"friday"} WHERE id = 'a'`;
      await db.exec`INSERT INTO task (id, title, code) VALUES ('d', 'of ben', 'X1')`;
      await db.exec`INSERT INTO task (id, title, code) VALUES ('e', 'of ben', 'X2')`;
    });
    expect(await ben.evaluate(() => window.db.pending().then((list) => list.length))).toBe(4);
    await ana.evaluate(() => window.db.setNetwork(true));
    await settled(ana);
    await ben.evaluate(() => window.db.setNetwork(true));
    await settled(ben);
    await ana.evaluate(() => window.db.sync());
    expect(await tasks(ben)).toEqual(await tasks(ana));
    expect(await tasks(ben)).toMatchObject([
      { id: "a", due: "tuesday" },
      { id: "b", title: "by ben", votes: 5 },
      { id: "c", code: "X1" },
      { id: "e", code: "X2" },
    ]);
    const rejected = await ben.evaluate(() => window.db.rejected());
    expect(rejected).toMatchObject([{ code: "unique", table: "task", columns: ["code"] }]);
    const conflicts = await ben.evaluate(() => window.db.conflicts({ states: ["open"] }));
    expect(conflicts).toMatchObject([
      { table: "task", column: "due", theirs: "tuesday", mine: "friday", base: "monday" },
    ]);
    const kinds = await ben.evaluate(() =>
      (window.kept.events as DatabaseEvent[]).flatMap((e) => (e.type === "outcome" ? [e.outcome.kind] : [])),
    );
    expect(kinds).toEqual(["accepted", "merged", "rejected", "accepted"]);
  });

  test("a conflict is decided, and a rejected changeset is edited and sent again", async () => {
    await ben.evaluate(async () => {
      const { db } = window;
      const [conflict] = await db.conflicts({ states: ["open"] });
      await db.resolve(conflict!.id, "mine");
      const [rejected] = await db.rejected();
      await db.editAndRetry(rejected!.id, [{ table: "task", key: ["d"], column: "code", value: "X3" }]);
      await db.flushed();
    });
    await shows(ana, "SELECT due FROM task WHERE id = 'a'", "friday");
    await shows(ana, "SELECT code FROM task WHERE id = 'd'", "X3");
    expect(await ben.evaluate(() => [window.db.status.rejected, window.db.status.conflicts])).toEqual([0, 0]);
  });

  test("a server that goes and comes back is found again", async () => {
    await served.kill();
    await ana.evaluate(() => window.db.exec`UPDATE task SET title = 'while it was away' WHERE id = 'b'`);
    served = await serve([file], site.url, where);
    await shows(ben, "SELECT title FROM task WHERE id = 'b'", "while it was away");
    await settled(ana);
    expect(await tasksIn(file)).toEqual(await tasks(ben));
  });

  test("reads and writes do not wait for a slow server", async () => {
    wire.delay = 1000;
    const order = await ana.evaluate(async () => {
      const order: string[] = [];
      const { db } = window;
      const flushed = db.exec`UPDATE task SET title = 'slowly' WHERE id = 'c'`.then(() => {
        order.push("written");
        return db.flushed();
      });
      const rows = await db.query`SELECT title FROM task WHERE id = 'c'`;
      order.push(`read ${rows[0]!.title}`);
      await flushed;
      order.push("flushed");
      return order;
    });
    wire.delay = 0;
    expect(order).toEqual(["written", "read slowly", "flushed"]);
    await shows(ben, "SELECT title FROM task WHERE id = 'c'", "slowly");
  });

  test("every copy is the server's, row by row", async () => {
    for (const page of [ana, ben]) {
      await settled(page);
      expect(await page.evaluate(() => window.db.verify())).toMatchObject({ differed: 0, saved: 0 });
      expect(await page.evaluate(() => window.db.status.proven)).toBe(true);
    }
    const exported = join(dir.path, "exported.sqlite");
    const bytes = await ana.evaluate(async () => Array.from(await window.db.exportFile()));
    writeFileSync(exported, Uint8Array.from(bytes));
    expect(readFileSync(exported).subarray(0, 15).toString()).toBe("SQLite format 3");
    expect(await tasksIn(exported)).toEqual(await tasksIn(file));
    expect(await run("status", exported)).toContain("tracker");
  });
});
