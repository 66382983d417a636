import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browser, launch, openTab, type Stage, sqlite3, stage, until } from "./harness.ts";

describe.skipIf(browser === "")("storage", () => {
  let s: Stage;

  beforeAll(async () => {
    s = await stage();
  });
  afterAll(() => s?.end());

  /** Opens a database in a page and waits until it has the space's rows. */
  async function opened(name: string, storage: "opfs" | "indexeddb", online = true): Promise<Page> {
    const page = await openTab(s.chrome.context, s.site);
    await open(page, name, storage, online);
    return page;
  }

  async function open(page: Page, name: string, storage: "opfs" | "indexeddb", online: boolean): Promise<void> {
    await page.evaluate(
      async ({ server, name, storage, online }) => {
        const late = (what: () => unknown): Promise<never> =>
          new Promise((_, reject) => setTimeout(() => reject(new Error(`late: ${JSON.stringify(what())}`)), 100_000));
        window.db = await Promise.race([window.tidemark.open({ name, server, storage, online }), late(() => "open")]);
        window.kept.events = [];
        window.db.onEvent((e) => (window.kept.events as unknown[]).push(e));
        await Promise.race([window.db.ready, late(() => window.db.status)]);
      },
      { server: s.space, name, storage, online },
    );
  }

  /** Waits until a page has said that its storage vanished and was made anew. */
  const reopened = (page: Page): Promise<void> =>
    until(
      page,
      () => (window.kept.events as { risk?: { kind: string } }[]).some((e) => e.risk?.kind === "reopened"),
      true,
    );

  const titles = (page: Page): Promise<string[]> =>
    page.evaluate(async () =>
      (await window.db.query<{ title: string }>`SELECT title FROM task ORDER BY title`).map((r) => r.title),
    );

  const write = (page: Page, title: string): Promise<unknown> =>
    page.evaluate((title) => window.db.exec`INSERT INTO task (id, title) VALUES (${title}, ${title})`, title);

  test.for(["opfs", "indexeddb"] as const)("keeps what was written over reload and kill (%s)", async (storage) => {
    const name = `kept-${storage}`;
    let page = await opened(name, storage);
    await page.evaluate(() => window.db.setNetwork(false));
    await write(page, `${storage}-reload`);
    await page.reload();
    await until(page, () => "tidemark" in window, true);
    await open(page, name, storage, false);
    expect(await titles(page)).toContain(`${storage}-reload`);

    for (let round = 0; round < 2; round++) {
      await write(page, `${storage}-kill-${round}`);
      await s.chrome.kill();
      s.chrome = await launch(s.profile);
      page = await opened(name, storage, false);
      expect(await titles(page)).toContain(`${storage}-kill-${round}`);
    }
    expect(await page.evaluate(() => window.db.status.pending)).toBe(3);
    await page.evaluate(() => window.db.setNetwork(true));
    await page.evaluate(() => window.db.sync());
    expect(await sqlite3(s.file, `SELECT count(*) FROM task WHERE title LIKE '${storage}-%'`)).toBe("3\n");
    await page.close();
  });

  test("falls back when the private file system fails, and says so", async () => {
    const page = await openTab(s.chrome.context, s.site);
    const made = await page.evaluate(async (server) => {
      // What a private window of some browsers does.
      const broken = `Object.defineProperty(StorageManager.prototype, "getDirectory", { value: () => Promise.reject(new DOMException("not here", "SecurityError")) });`;
      const blob = (code: string): string => URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
      const main = new URL("/worker/main.ts", location.href).href;
      const code = `import "${blob(broken)}"; import "${main}";`;
      const worker = (): Worker => new Worker(blob(code), { type: "module" });
      const db = await window.tidemark.open({ name: "private", server, worker });
      await db.ready;
      await db.exec`INSERT INTO task (id, title) VALUES ('private', 'private')`;
      const { storage } = db.status;
      await db.close();
      return storage;
    }, s.space);
    expect(made?.level).toBe("indexeddb");
    expect(made?.reason).toContain("not here");

    // When it works again, nothing of the other place is lost.
    const rows = await page.evaluate(async (server) => {
      const db = await window.tidemark.open({ name: "private", server });
      await db.ready;
      await db.sync();
      const { level } = db.status.storage!;
      const rows = await db.query`SELECT title FROM task WHERE id = 'private'`;
      await db.close();
      return { level, rows, left: (await indexedDB.databases()).map((d) => d.name) };
    }, s.space);
    expect(rows).toMatchObject({ level: "opfs", rows: [{ title: "private" }] });
    expect(rows.left).not.toContain("tidemark:private");
    await page.close();
  });

  test("goes on in memory when IndexedDB is cleared, and stores all of it again", async () => {
    const page = await opened("cleared", "indexeddb");
    await page.evaluate(async () => {
      await window.db.setNetwork(false);
      await window.db.exec`INSERT INTO task (id, title) VALUES ('cleared', 'cleared')`;
      await new Promise((resolve, reject) => {
        const gone = indexedDB.deleteDatabase("tidemark:cleared");
        gone.onsuccess = resolve;
        gone.onerror = reject;
      });
      await window.db.exec`INSERT INTO task (id, title) VALUES ('cleared-2', 'cleared-2')`;
    });
    await reopened(page);
    await until(page, () => window.db.status.storage?.level, "indexeddb");
    await page.reload();
    await until(page, () => "tidemark" in window, true);
    await open(page, "cleared", "indexeddb", false);
    expect(await titles(page)).toEqual(expect.arrayContaining(["cleared", "cleared-2"]));
    await page.close();
  });

  test("puts a database back whose files were cleared away", async () => {
    const page = await opened("swept", "opfs");
    await page.evaluate(() => window.db.setNetwork(false));
    await write(page, "swept");
    const cdp = await s.chrome.context.newCDPSession(page);
    const origin = new URL(s.site).origin;
    await cdp.send("Storage.clearDataForOrigin", { origin, storageTypes: "file_systems" });
    await write(page, "swept-2"); // goes to files that have no name any more
    await reopened(page);
    await page.reload();
    await until(page, () => "tidemark" in window, true);
    await open(page, "swept", "opfs", false);
    expect(await titles(page)).toEqual(expect.arrayContaining(["swept", "swept-2", "first"]));
    expect(await page.evaluate(() => window.db.status.pending)).toBe(2);
    await page.close();
  });

  /** Runs in the worker before the client: files fail when a page says so, those that are open then or all. */
  const SABOTAGE = `
    const files = FileSystemSyncAccessHandle.prototype;
    const open = new Set(), gone = new Set();
    let full = false;
    for (const name of ["read", "write", "truncate", "flush", "getSize"]) {
      const does = files[name];
      files[name] = function (...args) {
        open.add(this);
        if (gone.has(this)) throw new DOMException("the handle is closed", "InvalidStateError");
        if (full && name === "write") throw new DOMException("no room", "QuotaExceededError");
        return does.apply(this, args);
      };
    }
    const channel = new BroadcastChannel("sabotage");
    channel.onmessage = ({ data }) => {
      full = data === "full";
      if (data === "gone") for (const file of open) gone.add(file);
      channel.postMessage("done");
    };`;

  test.for(["working", "full"])("opens the files again when the browser closed them (%s)", async (before) => {
    const page = await openTab(s.chrome.context, s.site);
    const made = await page.evaluate(
      async ({ server, code, before }) => {
        const { open } = window.tidemark;
        const url = (text: string): string => URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
        const main = new URL("/worker/main.ts", location.href).href;
        const worker = (): Worker => new Worker(url(`import "${url(code)}"; import "${main}";`), { type: "module" });
        const db = await open({ name: `handles-${before}`, server, worker });
        await db.ready;
        await db.setNetwork(false);
        const told: string[] = [];
        db.onEvent((e) => e.type === "risk" && told.push(e.risk.kind));
        await db.exec`INSERT INTO task (id, title) VALUES (${`${before}-1`}, '')`;
        const channel = new BroadcastChannel("sabotage");
        const say = (what: string): Promise<void> =>
          new Promise((done) => {
            channel.onmessage = () => done();
            channel.postMessage(what);
          });
        const codes: string[] = [];
        if (before === "full") {
          await say("full");
          const refused = await db.exec`INSERT INTO task (id, title) VALUES ('refused', '')`.catch((e) => e.code);
          codes.push(String(refused));
        }
        await say("gone");
        await db.exec`INSERT INTO task (id, title) VALUES (${`${before}-2`}, '')`;
        const rows = await db.query<{ id: string }>`SELECT id FROM task WHERE id LIKE ${`${before}-%`} ORDER BY id`;
        channel.close();
        await db.setNetwork(true);
        await db.sync();
        const { storage, rejected } = db.status;
        await db.close();
        return { told, codes, ids: rows.map((r) => r.id), rejected, level: storage?.level };
      },
      { server: s.space, code: SABOTAGE, before },
    );
    expect(made).toEqual({
      told: ["memory", "reopened"],
      codes: before === "full" ? ["disk_full"] : [],
      ids: [`${before}-1`, `${before}-2`],
      rejected: 0,
      level: "opfs",
    });
    expect(await sqlite3(s.file, `SELECT count(*) FROM task WHERE id IN ('${before}-1', '${before}-2')`)).toBe("2\n");
    await page.close();
  });

  test("opens what is there where no room is left, and takes writes when there is", async () => {
    const page = await opened("no-room", "opfs");
    await page.evaluate(() => window.db.setNetwork(false));
    await write(page, "kept in a full house");
    await page.evaluate(() => window.db.close());
    const cdp = await s.chrome.context.newCDPSession(page);
    const origin = new URL(s.site).origin;
    await cdp.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1000 });
    await open(page, "no-room", "opfs", false);
    expect(await page.evaluate(() => window.db.status.storage!.level)).toBe("opfs");
    expect(await page.evaluate(() => window.db.status.pending)).toBe(1);
    expect(await titles(page)).toEqual(expect.arrayContaining(["first", "kept in a full house"]));
    await cdp.send("Storage.overrideQuotaForOrigin", { origin });
    await write(page, "with room again");
    await page.evaluate(() => window.db.setNetwork(true));
    await page.evaluate(() => window.db.sync());
    expect(
      await sqlite3(s.file, "SELECT count(*) FROM task WHERE title IN ('kept in a full house', 'with room again')"),
    ).toBe("2\n");
    await page.close();
  });

  test("refuses a write that the quota has no room for, and goes on when there is", async () => {
    const page = await opened("quota", "opfs");
    const cdp = await s.chrome.context.newCDPSession(page);
    const origin = new URL(s.site).origin;
    const { usage } = await cdp.send("Storage.getUsageAndQuota", { origin });
    await cdp.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: usage + 100_000 });
    const failed = await page.evaluate(() =>
      window.db.exec`INSERT INTO task (id, title) VALUES ('big', ${"x".repeat(4_000_000)})`.then(
        () => "done",
        (e) => e.code,
      ),
    );
    expect(failed).toBe("disk_full");
    await cdp.send("Storage.overrideQuotaForOrigin", { origin });
    await write(page, "small");
    expect(await titles(page)).toContain("small");
    await page.evaluate(() => window.db.sync());
    await page.close();
  });
});
