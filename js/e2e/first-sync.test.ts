import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browser, openTab, type Stage, serve, sqlite3, stage, until } from "./harness.ts";

/** Stands between the page and the server, and does with snapshots what a bad line does. */
interface Line {
  readonly url: string;
  /** What was asked for, with the part that was wanted. */
  readonly asked: string[];
  /** Snapshots wait for this. */
  open: Promise<void>;
  /** Bytes of a snapshot after which nothing more comes, once, until the line is cut. */
  breakAfter: number;
  /** Answers in place of the server, where it gives a text. */
  spoil: (path: string) => string | null;
  cut(): void;
  close(): void;
}

async function lineTo(target: string): Promise<Line> {
  const server: Server = createServer((req, res) => {
    const { host, port } = new URL(target);
    if (req.method === "GET") line.asked.push(`${req.url} ${req.headers.range ?? ""}`.trim());
    const spoiled = line.spoil(req.url ?? "");
    if (spoiled !== null) {
      res.writeHead(200, { "Content-Type": "application/json", "Access-Control-Allow-Origin": "*" }).end(spoiled);
      return;
    }
    const out = request(
      { host: host.split(":")[0], port, path: req.url, method: req.method, headers: req.headers },
      async (back) => {
        if (req.url?.endsWith("/snapshot")) await line.open;
        res.writeHead(back.statusCode ?? 502, back.headers);
        let sent = 0;
        back.on("data", (part: Buffer) => {
          sent += part.length;
          const enough = req.url?.endsWith("/snapshot") && line.breakAfter > 0 && sent >= line.breakAfter;
          if (enough) back.removeAllListeners();
          res.write(part);
          if (!enough) return;
          line.breakAfter = 0;
          line.cut = () => res.destroy();
        });
        back.on("end", () => res.end());
      },
    );
    out.on("error", () => res.destroy());
    req.pipe(out);
  });
  server.on("upgrade", (_, socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A server that listens on a port has an address of this kind.
  const { port } = server.address() as AddressInfo;
  const line: Line = {
    url: `http://127.0.0.1:${port}`,
    asked: [],
    open: Promise.resolve(),
    breakAfter: 0,
    spoil: () => null,
    cut: () => {},
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return line;
}

describe.skipIf(browser === "")("the first sync", () => {
  let s: Stage;
  let line: Line;

  beforeAll(async () => {
    s = await stage();
    line = await lineTo(s.served.url);
  });
  afterAll(async () => {
    line?.close();
    await s?.end();
  });

  /** Another database beside the served one. */
  async function sibling(name: string): Promise<string> {
    const file = join(dirname(s.file), `${name}.sqlite`);
    await sqlite3(file, "CREATE TABLE task (id TEXT PRIMARY KEY)");
    return file;
  }

  test.for(["opfs", "indexeddb"] as const)("takes reads and writes before the rows are there (%s)", async (storage) => {
    let release = (): void => {};
    line.open = new Promise((resolve) => {
      release = resolve;
    });
    const page = await openTab(s.chrome.context, s.site);
    const early = await page.evaluate(
      async ({ server, storage }) => {
        window.db = await window.tidemark.open({ name: `early-${storage}`, server, storage, transport: "http" });
        const { db } = window;
        window.kept.seen = [];
        db.watch("SELECT id FROM task ORDER BY id", [], (rows) =>
          (window.kept.seen as string[][]).push(rows.map((r) => `${r.id}`)),
        );
        const before = await db.query`SELECT * FROM task`;
        await db.exec`INSERT INTO task (id, title) VALUES (${`early-${storage}`}, 'written early')`;
        // The server has this row already: by then it is a change of it, or refused.
        await db.exec`INSERT INTO task (id, title) VALUES ('a', ${`mine-${storage}`})`;
        await db.exec`UPDATE task SET votes = 5 WHERE id = ${`early-${storage}`}`;
        return { before, phase: db.status.phase };
      },
      { server: `${line.url}/shop`, storage },
    );
    expect(early).toEqual({ before: [], phase: "snapshot" });
    release();
    const late = await page.evaluate(async (id) => {
      const { db } = window;
      await db.ready;
      const mine = await db.queryOne`SELECT title, votes FROM task WHERE id = ${id}`;
      const all = (await db.query<{ id: string }>`SELECT id FROM task`).map((r) => r.id);
      await db.sync();
      const { pending } = db.status;
      return { mine, all, pending, rejected: (await db.rejected()).length, seen: window.kept.seen as string[][] };
    }, `early-${storage}`);
    expect(late.mine).toEqual({ title: "written early", votes: 5 });
    expect(late.all).toEqual(expect.arrayContaining(["a", "b", `early-${storage}`]));
    expect(late.pending).toBe(0);
    expect(late.seen.at(-1)).toEqual(expect.arrayContaining(["a", "b", `early-${storage}`]));
    expect(await sqlite3(s.file, `SELECT title, votes FROM task WHERE id = 'early-${storage}'`)).toBe(
      "written early|5\n",
    );
    await page.close();
  });

  test("goes on with a download that broke off", async () => {
    const file = join(dirname(s.file), "large.sqlite");
    const many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)";
    await sqlite3(
      file,
      `CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT); ${many} INSERT INTO note (body) SELECT hex(randomblob(200)) FROM n`,
    );
    const served = await serve([file], s.site);
    const line = await lineTo(served.url);
    line.breakAfter = 150_000;
    const page = await openTab(s.chrome.context, s.site);
    await page.evaluate(async (server) => {
      window.db = await window.tidemark.open({ name: "broken", server, transport: "http" });
    }, `${line.url}/large`);
    await until(page, () => (window.db.status.progress?.bytes ?? 0) > 0, true);
    await page.evaluate(() => {
      const stages = new Set([window.db.status.progress?.stage]);
      window.db.onStatus(({ progress }) => progress && stages.add(progress.stage));
      window.kept.stages = stages;
    });
    await expect.poll(() => line.breakAfter).toBe(0);
    line.cut();
    const result = await page.evaluate(async () => {
      const { db } = window;
      await db.ready;
      await db.caughtUp();
      const n = await db.queryOne`SELECT count(*) AS n FROM note`;
      return { n, stages: [...(window.kept.stages as Set<string>)] };
    });
    expect(result.n).toEqual({ n: 3000 });
    expect(result.stages).toEqual(["download", "install"]);
    const snapshots = line.asked.filter((a) => a.includes("/snapshot"));
    expect(snapshots).toEqual([expect.not.stringContaining("bytes"), expect.stringMatching(/bytes=[1-9]\d*-$/)]);
    await page.close();
    line.close();
    await served.stop();
  });

  test("goes on with a large download that a reload interrupted", async () => {
    const file = join(dirname(s.file), "huge.sqlite");
    const rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)";
    await sqlite3(
      file,
      `CREATE TABLE note (id INTEGER PRIMARY KEY, body BLOB); ${rows} INSERT INTO note (body) SELECT randomblob(30000) FROM n`,
    );
    const served = await serve([file], s.site);
    const line = await lineTo(served.url);
    line.breakAfter = 6_000_000;
    const page = await openTab(s.chrome.context, s.site);
    const open = (server: string) =>
      page.evaluate(async (server) => {
        window.db = await window.tidemark.open({ name: "huge", server, transport: "http" });
      }, server);
    await open(`${line.url}/huge`);
    // Pieces are stored while the next ones come.
    const stored = async (): Promise<number> => {
      const name = "tidemark:huge:download";
      if (!(await indexedDB.databases()).some((d) => d.name === name)) return 0;
      return await new Promise((resolve) => {
        const opening = indexedDB.open(name);
        opening.onsuccess = () => {
          const counting = opening.result.transaction("parts").objectStore("parts").count();
          counting.onsuccess = () => {
            opening.result.close();
            resolve(counting.result);
          };
        };
      });
    };
    await expect.poll(() => page.evaluate(stored)).toBeGreaterThan(2);
    let release = (): void => {};
    line.open = new Promise((resolve) => {
      release = resolve;
    });
    await page.reload();
    await until(page, () => "tidemark" in window, true);
    line.asked.length = 0;
    release();
    await open(`${line.url}/huge`);
    const n = await page.evaluate(async () => {
      await window.db.ready;
      return await window.db.queryOne`SELECT count(*) AS n FROM note`;
    });
    expect(n).toEqual({ n: 300 });
    const snapshots = line.asked.filter((a) => a.includes("/snapshot"));
    expect(snapshots).toEqual([expect.stringMatching(/bytes=\d{7}-$/)]);
    const left = () => page.evaluate(async () => (await indexedDB.databases()).map((d) => d.name));
    await expect.poll(left).not.toContain("tidemark:huge:download");
    await page.close();
    line.close();
    await served.stop();
  });

  test("uses plain HTTP where no WebSocket passes", async () => {
    const page = await openTab(s.chrome.context, s.site);
    await page.evaluate(async (server) => {
      window.db = await window.tidemark.open({ name: "no-socket", server });
      window.db.watch("SELECT title FROM task WHERE id = 'told'", [], (rows) => {
        window.kept.told = rows[0]?.title;
      });
      await window.db.caughtUp();
    }, `${line.url}/shop`);
    await sqlite3(s.file, "INSERT INTO task (id, title) VALUES ('told', 'over HTTP')");
    await until(page, () => window.kept.told, "over HTTP");
    await page.evaluate(async () => {
      await window.db.exec`UPDATE task SET title = 'and back' WHERE id = 'told'`;
      await window.db.flushed();
    });
    expect(await sqlite3(s.file, "SELECT title FROM task WHERE id = 'told'")).toBe("and back\n");
    await page.close();
  });

  test("says when what answers is no server of ours, and goes on when it is one", async () => {
    const odd = await lineTo(s.served.url);
    const page = await openTab(s.chrome.context, s.site);
    const says = (code: string, text: string): Promise<void> =>
      until(
        page,
        ([code, text]) => window.db.status.error?.code === code && window.db.status.error!.message.includes(text!),
        true,
        [code, text],
      );
    odd.spoil = () => "hello";
    await page.evaluate(async (server) => {
      window.db = await window.tidemark.open({ name: "odd", server, transport: "http" });
    }, `${odd.url}/shop`);
    await says("offline", "is no Tidemark server");
    odd.spoil = () => "{}";
    await page.evaluate(() => window.db.reconnect());
    await says("offline", "is no Tidemark server");
    odd.spoil = (path) => (path.includes("/schema/") ? '{"tables":7}' : null);
    await page.evaluate(() => window.db.reconnect());
    await says("protocol", "a schema that cannot be read");
    odd.spoil = () => null;
    await page.evaluate(async () => {
      await window.db.reconnect();
      await window.db.ready;
    });
    expect(await page.evaluate(() => window.db.query`SELECT title FROM task WHERE id = 'b'`)).toEqual([
      { title: "second" },
    ]);
    await page.close();
    odd.close();
  });

  test("tells a page that the server may not know its origin", async () => {
    const strict = await serve([await sibling("strict")], "http://elsewhere.example");
    const page = await openTab(s.chrome.context, s.site);
    const told = await page.evaluate(async (server) => {
      const db = await window.tidemark.open({ name: "strict", server });
      while (db.status.error === null) await new Promise((resolve) => setTimeout(resolve, 10));
      const late = await db
        .query("SELECT 1", [], { deadline: 1500 })
        .catch((e) => ({ message: e.message, hint: e.hint }));
      const { error } = db.status;
      await db.close();
      return { error, late };
    }, `${strict.url}/strict`);
    expect(told.error).toMatchObject({
      code: "offline",
      hint: expect.stringContaining(`--origin ${new URL(s.site).origin}`),
    });
    const message = "no answer came within 1500 ms: the first open needs the server: the server cannot be reached";
    expect(told.late).toEqual({ message, hint: "" });
    await page.close();
    await strict.stop();
  });

  test("waits for the server when there is none, and says so", async () => {
    const page = await openTab(s.chrome.context, s.site);
    const gone = await lineTo(s.served.url);
    gone.close();
    const result = await page.evaluate(async (server) => {
      const db = await window.tidemark.open({ name: "nobody", server });
      while (db.status.error === null) await new Promise((resolve) => setTimeout(resolve, 10));
      const code = await db.query("SELECT 1", [], { deadline: 700 }).catch((e) => e.code);
      const { phase, error } = db.status;
      await db.close();
      return { code, phase, error: error?.code };
    }, `${gone.url}/shop`);
    expect(result).toEqual({ code: "busy", phase: "schema", error: "offline" });
    await page.close();
  });
});
