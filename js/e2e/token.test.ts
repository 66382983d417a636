import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BrowserContext } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Browser,
  browser,
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

describe.skipIf(browser === "")("a page that has tokens", () => {
  const dir = scratch();
  const file = join(dir.path, "shop.sqlite");
  const secret = join(dir.path, "secret");
  let site: Awaited<ReturnType<typeof serveSite>>;
  let served: Served;
  let chrome: Browser;

  const tokenOf = async (who: string, ttl: string): Promise<string> =>
    (await run("token", "issue", "--sub", who, "--ttl", ttl, "--key", secret)).trim();

  beforeAll(async () => {
    await sqlite3(file, "CREATE TABLE task (id TEXT PRIMARY KEY, title TEXT NOT NULL)");
    writeFileSync(join(dir.path, "tidemark.yaml"), "rules:\n  default: public\n");
    await run("token", "keygen", "-o", secret);
    site = await serveSite();
    served = await serve([file], site.url, "127.0.0.1:0", ["--auth-secret", secret, "--auth-leeway", "0s"]);
    chrome = await launch(join(dir.path, "profile"));
  });
  afterAll(async () => {
    await chrome?.kill().catch(() => {});
    await served?.stop();
    await site?.close();
    dir.remove();
  });

  /** Opens a tab with a database whose tokens come from `window.kept.token`. */
  async function signIn(context: BrowserContext, transport: "websocket" | "http", token: string) {
    const page = await openTab(context, site.url);
    await page.evaluate(
      async ({ server, transport, token }) => {
        window.kept.token = token;
        const { open } = window.tidemark;
        const source = async (): Promise<string> => String(window.kept.token);
        window.db = await open({ name: `token-${transport}`, server, transport, storage: "memory", token: source });
        await window.db.ready;
        await window.db.caughtUp();
      },
      { server: `${served.url}/shop`, transport, token },
    );
    return page;
  }

  const titles = async (): Promise<string> => await sqlite3(file, "SELECT title FROM task ORDER BY title");

  test.for(["websocket", "http"] as const)(
    "goes on with newer ones and keeps to its person (%s)",
    async (transport) => {
      const page = await signIn(chrome.context, transport, await tokenOf("ana", "4s"));
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
      await put(await tokenOf("ben", "1h"));
      await page.evaluate(() => window.db.reconnect());
      await state("auth needed");
      expect(await titles()).not.toContain(`${transport} while signed out`);

      await put(await tokenOf("ana", "1h"));
      await page.evaluate(() => window.db.reconnect());
      await page.evaluate(() => window.db.flushed());
      expect(await titles()).toContain(`${transport} while signed out`);
      await page.evaluate(() => window.db.close());
      await page.close();
    },
  );

  test("no address has a token in it", async () => {
    const token = await tokenOf("ana", "1h");
    const seen: string[] = [];
    const listen = (r: { url(): string }): unknown => seen.push(r.url());
    chrome.context.on("request", listen);
    chrome.context.on("page", (p) => p.on("websocket", listen));
    const page = await signIn(chrome.context, "websocket", token);
    await page.evaluate(() => window.db.close());
    await page.close();
    chrome.context.off("request", listen);
    expect(seen.some((url) => url.startsWith(served.url))).toBe(true);
    expect(seen.filter((url) => url.includes(token))).toEqual([]);
    expect(readFileSync(secret, "utf8")).not.toBe("");
  });
});
