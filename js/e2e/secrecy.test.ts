import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browser, openTab, type Stage, sqlite3, stage, until } from "./harness.ts";

const tables = `CREATE TABLE box (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
  CREATE TABLE guest (box INTEGER REFERENCES box (id), person TEXT, PRIMARY KEY (box, person));
  CREATE TABLE item (id INTEGER PRIMARY KEY, box INTEGER REFERENCES box (id), body TEXT NOT NULL);
  INSERT INTO box VALUES (1, 'open'), (2, 'closed');
  INSERT INTO guest VALUES (1, 'ana'), (2, 'ben')`;

const declared = `rules:
  default: public
scopes:
  box:
    grant: SELECT box FROM guest WHERE person = :user
    tables: { box: id, guest: box, item: box }
`;

/**
 * Words that only rows of the closed box have. What somebody may not see must
 * not come to their browser in any message, nor lie in anything that it stores.
 */
describe.skipIf(browser === "")("what one may not see", () => {
  let s: Stage;

  beforeAll(async () => {
    s = await stage({ name: "boxes", sql: tables, declared });
  });
  afterAll(() => s?.end());

  type Kind = readonly ["opfs" | "indexeddb", "websocket" | "http"];

  /** Opens Ana's database, with a worker that shows all that the network brings to it. */
  async function open([storage, transport]: Kind): Promise<Page> {
    const page = await openTab(s.chrome.context, s.site);
    await page.evaluate(
      async ({ server, storage, transport, token }) => {
        const spy = `
          const told = new BroadcastChannel("spy");
          const tell = (data) => void new Response(data).text().then((text) => told.postMessage(text));
          const Plain = WebSocket;
          self.WebSocket = class extends Plain {
            constructor(...args) { super(...args); this.addEventListener("message", (e) => tell(e.data)); }
          };
          const ask = self.fetch;
          self.fetch = async (...args) => {
            const resp = await ask(...args);
            void resp.clone().text().then((text) => told.postMessage(text), () => {});
            return resp;
          };`;
        const heard: string[] = [];
        window.kept.heard = heard;
        new BroadcastChannel("spy").onmessage = (e) => heard.push(e.data as string);
        const blob = (code: string): string => URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
        const main = new URL("/worker/main.ts", location.href).href;
        const code = `import "${blob(spy)}"; import "${main}";`;
        const worker = (): Worker => new Worker(blob(code), { type: "module" });
        window.db = await window.tidemark.open({
          name: `${storage}-${transport}`,
          server,
          storage,
          transport,
          token,
          worker,
        });
        await window.db.ready;
      },
      { server: s.space, storage, transport, token: await s.token("ana") },
    );
    return page;
  }

  /** Waits until the page shows exactly these items. */
  const shows = (page: Page, ids: string): Promise<void> =>
    until(
      page,
      async () => (await window.db.query<{ id: number }>`SELECT id FROM item ORDER BY id`).map((r) => r.id).join(),
      ids,
    );

  const heard = (page: Page, word: string): Promise<boolean> =>
    page.evaluate((w) => (window.kept.heard as string[]).some((m) => m.includes(w)), word);

  /** Waits until the spy has told of a message with a word: that comes a little after the rows. */
  const hears = (page: Page, word: string): Promise<void> =>
    until(page, (w) => (window.kept.heard as string[]).some((m) => m.includes(w)), true, word);

  /** Whether a word lies in any file of the origin, or in any of its records. */
  const stored = (page: Page, word: string): Promise<boolean> =>
    page.evaluate(async (word) => {
      const want = new TextEncoder().encode(word);
      const has = (bytes: Uint8Array): boolean => {
        for (let i = bytes.indexOf(want[0]!); i >= 0; i = bytes.indexOf(want[0]!, i + 1))
          if (want.every((b, k) => bytes[i + k] === b)) return true;
        return false;
      };
      const inValue = (v: unknown): boolean => {
        if (v instanceof ArrayBuffer) return has(new Uint8Array(v));
        if (ArrayBuffer.isView(v)) return has(new Uint8Array(v.buffer, v.byteOffset, v.byteLength));
        if (typeof v === "object" && v !== null) return Object.values(v).some(inValue);
        return String(v).includes(word);
      };
      const inFolder = async (folder: FileSystemDirectoryHandle): Promise<boolean> => {
        // The types of the file system know no way to walk a folder.
        const entries = (folder as unknown as { values(): AsyncIterable<FileSystemHandle> }).values();
        for await (const e of entries) {
          if (e instanceof FileSystemDirectoryHandle ? await inFolder(e) : false) return true;
          if (e instanceof FileSystemFileHandle && has(new Uint8Array(await (await e.getFile()).arrayBuffer())))
            return true;
        }
        return false;
      };
      const wait = <T>(r: IDBRequest<T>): Promise<T> =>
        new Promise((resolve, reject) => {
          r.onsuccess = () => resolve(r.result);
          r.onerror = () => reject(r.error);
        });
      const inDatabases = async (): Promise<boolean> => {
        for (const { name } of await indexedDB.databases()) {
          const db = await wait(indexedDB.open(name!));
          for (const store of db.objectStoreNames) {
            const s = db.transaction(store).objectStore(store);
            const all: unknown[] = [...(await wait(s.getAll())), ...(await wait(s.getAllKeys()))];
            if (all.some(inValue)) return true;
          }
          db.close();
        }
        return false;
      };
      const small = JSON.stringify([{ ...localStorage }, { ...sessionStorage }]);
      return small.includes(word) || (await inFolder(await navigator.storage.getDirectory())) || (await inDatabases());
    }, word);

  test.for([
    ["opfs", "websocket"],
    ["indexeddb", "websocket"],
    ["opfs", "http"],
  ] as const)("never comes, and is gone when it was allowed for a while (%s over %s)", async (kind) => {
    const word = (n: number): string => `Kanari${n}${kind.join("")}`;
    await sqlite3(
      s.file,
      `DELETE FROM item; DELETE FROM guest WHERE box = 2 AND person = 'ana';
      INSERT INTO item VALUES (1, 1, 'plain'), (2, 2, '${word(1)}')`,
    );
    let page = await open(kind);
    await shows(page, "1");
    // Others write while she is connected; what follows in her box shows that it was passed.
    await sqlite3(
      s.file,
      `UPDATE item SET body = '${word(2)}' WHERE id = 2; INSERT INTO item VALUES (3, 2, '${word(2)}')`,
    );
    await sqlite3(s.file, `INSERT INTO item VALUES (4, 1, 'after')`);
    await shows(page, "1,4");
    // A change of a row that she may not see, and a clash with one, say nothing of it.
    await page.evaluate(async () => {
      await window.db.exec`INSERT INTO item (id, box, body) VALUES (3, 1, 'mine')`;
      await window.db.flushed();
    });
    // A row moves out of what she may not see, into it, and back.
    await sqlite3(s.file, `UPDATE item SET box = 1, body = 'moved' WHERE id = 2`);
    await until(page, async () => (await window.db.query`SELECT 1 FROM item WHERE id = 2`).length, 1);
    await sqlite3(s.file, `UPDATE item SET box = 2, body = '${word(1)}' WHERE id = 2`);
    await until(page, async () => (await window.db.query`SELECT 1 FROM item WHERE id = 2`).length, 0);
    await page.evaluate(() => window.db.caughtUp());
    await hears(page, "after");
    await hears(page, "moved");
    for (const n of [1, 2]) expect(await heard(page, word(n)), word(n)).toBe(false);
    await page.evaluate(() => window.db.close());
    expect(await stored(page, "after")).toBe(true);
    for (const n of [1, 2]) expect(await stored(page, word(n)), word(n)).toBe(false);
    await page.close();

    // Allowed, it comes: the spy and the search would have seen it.
    page = await open(kind);
    await sqlite3(s.file, "INSERT INTO guest VALUES (2, 'ana')");
    await until(page, async () => (await window.db.query`SELECT 1 FROM item WHERE box = 2`).length, 2);
    await hears(page, word(2));
    await page.evaluate(() => window.db.close());
    expect(await stored(page, word(2))).toBe(true);
    await page.close();

    // Taken away while she is connected, and written to afterwards.
    page = await open(kind);
    await sqlite3(s.file, "DELETE FROM guest WHERE box = 2 AND person = 'ana'");
    await until(page, async () => (await window.db.query`SELECT 1 FROM item WHERE box = 2`).length, 0);
    await sqlite3(
      s.file,
      `UPDATE item SET body = '${word(3)}' WHERE box = 2; UPDATE item SET body = 'last' WHERE id = 1`,
    );
    await until(page, async () => (await window.db.query`SELECT 1 FROM item WHERE body = 'last'`).length, 1);
    await hears(page, "last");
    expect(await heard(page, word(3))).toBe(false);
    await page.evaluate(() => window.db.close());
    for (const n of [1, 2, 3]) expect(await stored(page, word(n)), word(n)).toBe(false);
    await page.close();

    // Allowed again, and taken away while she is away.
    page = await open(kind);
    await sqlite3(s.file, "INSERT INTO guest VALUES (2, 'ana')");
    await until(page, async () => (await window.db.query`SELECT 1 FROM item WHERE box = 2`).length, 2);
    await page.evaluate(() => window.db.close());
    await page.close();
    await sqlite3(
      s.file,
      `DELETE FROM guest WHERE box = 2 AND person = 'ana'; UPDATE item SET body = '${word(4)}' WHERE id = 2; UPDATE item SET body = 'meanwhile' WHERE id = 1`,
    );
    page = await open(kind);
    await until(page, async () => (await window.db.query`SELECT 1 FROM item WHERE box = 2`).length, 0);
    await page.evaluate(() => window.db.caughtUp());
    await hears(page, "meanwhile");
    expect(await heard(page, word(4))).toBe(false);
    await page.evaluate(() => window.db.close());
    for (const n of [1, 2, 3, 4]) expect(await stored(page, word(n)), word(n)).toBe(false);
    await page.close();
  });
});
