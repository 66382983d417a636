import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browser, openTab, type Stage, sqlite3, stage, until } from "./harness.ts";

describe.skipIf(browser === "")("a page that has tokens", () => {
  let s: Stage;

  beforeAll(async () => {
    s = await stage({
      sql: "CREATE TABLE task (id TEXT PRIMARY KEY, title TEXT NOT NULL)",
      declared: "rules:\n  default: public\n",
      flags: ["--auth-leeway", "0s"],
    });
  });
  afterAll(() => s?.end());

  /** Opens a tab with a database whose tokens come from `window.kept.token`. */
  async function signIn(transport: "websocket" | "http", issue: () => Promise<string>) {
    const page = await openTab(s.chrome.context, s.site);
    const token = await issue();
    await page.evaluate(
      async ({ server, transport, token }) => {
        window.kept.token = token;
        const { open } = window.tidemark;
        const source = async (): Promise<string> => String(window.kept.token);
        window.db = await open({ name: `token-${transport}`, server, transport, storage: "memory", token: source });
        await window.db.ready;
        await window.db.caughtUp();
      },
      { server: s.space, transport, token },
    );
    return page;
  }

  const titles = async (): Promise<string> => await sqlite3(s.file, "SELECT title FROM task ORDER BY title");

  test.for(["websocket", "http"] as const)(
    "goes on with newer ones and keeps to its person (%s)",
    async (transport) => {
      // Long enough to sign in and write by on a slow machine; then it is waited for its end.
      const page = await signIn(transport, () => s.token("ana", "12s"));
      const write = (title: string) =>
        page.evaluate(async (title) => {
          await window.db.exec`INSERT INTO task (id, title) VALUES (${window.tidemark.id()}, ${title})`;
        }, title);
      const state = (phase: string) => until(page, () => window.db.status.sync as string, phase);
      const put = (token: string) => page.evaluate((t) => (window.kept.token = t), token);

      await write(`${transport} first`);
      await page.evaluate(() => window.db.flushed());
      expect(await titles()).toContain(`${transport} first`);

      // The old token ends; nobody has a newer one.
      await state("auth needed");
      await write(`${transport} while signed out`);
      await put(await s.token("ben"));
      await page.evaluate(() => window.db.reconnect());
      await state("auth needed");
      expect(await titles()).not.toContain(`${transport} while signed out`);

      await put(await s.token("ana"));
      await page.evaluate(() => window.db.reconnect());
      await page.evaluate(() => window.db.flushed());
      expect(await titles()).toContain(`${transport} while signed out`);
      await page.evaluate(() => window.db.close());
      await page.close();
    },
  );

  test("no address has a token in it", async () => {
    const token = await s.token("ana");
    const seen: string[] = [];
    const listen = (r: { url(): string }): unknown => seen.push(r.url());
    s.chrome.context.on("request", listen);
    s.chrome.context.on("page", (p) => p.on("websocket", listen));
    const page = await signIn("websocket", async () => token);
    await page.evaluate(() => window.db.close());
    await page.close();
    s.chrome.context.off("request", listen);
    expect(seen.some((url) => url.startsWith(s.served.url))).toBe(true);
    expect(seen.filter((url) => url.includes(token))).toEqual([]);
  });
});
