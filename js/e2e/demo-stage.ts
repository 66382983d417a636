import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { type Browser, launch, run, scratch, sqlite3, tidemark, until } from "./harness.ts";

/** The demo, served, and a browser that shows its page. */
export interface DemoStage {
  readonly url: string;
  /** The folder with the served files. */
  readonly dir: string;
  page: Page;
  /** What the page complained of. */
  readonly complaints: string[];
  /** Kills the browser with all its processes and comes back with the same profile. */
  killBrowser(): Promise<void>;
  /** Another tab of the same browser, at a place of the page, as one of the people. */
  tab(who: string, place?: string): Promise<Page>;
  /** Flags of the program that let it come as one of the people. */
  token(who: string): Promise<string[]>;
  /**
   * Waits until the tracker's served file answers with these rows. What a page says of itself
   * may still be of before a click that it has not carried out.
   */
  served(sql: string, want: string): Promise<void>;
  stopServer(): Promise<void>;
  startServer(): Promise<void>;
  /** Keeps a picture of the page for people to look at. */
  shot(name: string, page?: Page): Promise<void>;
  end(): Promise<void>;
}

const shots = fileURLToPath(new URL("shots", import.meta.url));

interface Running {
  readonly address: string;
  stop(): Promise<void>;
}

/** Starts `tidemark demo` in a folder. */
async function startDemo(dir: string, listen: string): Promise<Running> {
  const ready = join(dir, "address");
  rmSync(ready, { force: true });
  const child = spawn(tidemark, ["demo", join(dir, "demo"), "--listen", listen, "--ready-file", ready], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (d) => (said += d));
  let over = false;
  const gone = new Promise<void>((resolve) =>
    child.on("close", () => {
      over = true;
      resolve();
    }),
  );
  while (!existsSync(ready)) {
    if (over) throw new Error(`the demo ended: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const stop = async (): Promise<void> => {
    child.kill("SIGINT");
    await gone;
  };
  return { address: readFileSync(ready, "utf8").trim(), stop };
}

export async function demoStage(): Promise<DemoStage> {
  mkdirSync(shots, { recursive: true });
  const folder = scratch();
  const profile = join(folder.path, "profile");
  mkdirSync(profile);
  let server = await startDemo(folder.path, "127.0.0.1:0");
  const { address } = server;
  const complaints: string[] = [];
  let chrome: Browser = await launch(profile);
  const openPage = async (): Promise<Page> => {
    const page = await chrome.context.newPage();
    await page.setViewportSize({ width: 1360, height: 1000 });
    page.on("pageerror", (err) => complaints.push(String(err)));
    page.on("response", (r) => {
      if (r.status() >= 400 && r.status() !== 503) complaints.push(`${r.status()} ${r.url()}`);
    });
    page.on("console", (m) => {
      // Requests that fail while the server is away are reported by the browser itself.
      if (m.type() === "error" && !m.text().startsWith("Failed to load resource")) complaints.push(m.text());
    });
    return page;
  };
  const stage: DemoStage = {
    url: `http://${address}/`,
    dir: join(folder.path, "demo"),
    page: await openPage(),
    complaints,
    killBrowser: async () => {
      await chrome.kill();
      chrome = await launch(profile);
      stage.page = await openPage();
    },
    tab: async (who, place = "#/tracker") => {
      const page = await openPage();
      await page.goto(`${stage.url}?as=${who}${place}`);
      return page;
    },
    token: async (who) => {
      const file = join(folder.path, `${who}.token`);
      writeFileSync(file, await run("token", "issue", "--sub", who, "--key", join(stage.dir, "secret")));
      return ["--token-file", file];
    },
    served: async (sql, want) => {
      await expect.poll(() => sqlite3(join(stage.dir, "tracker.sqlite"), sql)).toBe(`${want}\n`);
    },
    stopServer: () => server.stop(),
    startServer: async () => {
      server = await startDemo(folder.path, address);
    },
    shot: async (name, page = stage.page) => {
      await page.bringToFront();
      await page.evaluate(() => {
        const ends = document.getAnimations().filter((a) => a.effect?.getComputedTiming().iterations !== Infinity);
        return Promise.all(ends.map((a) => a.finished.catch(() => {}))).then(() => {});
      });
      await page.screenshot({ path: join(shots, `${name}.png`) });
    },
    end: async () => {
      await chrome.close();
      await server.stop();
      folder.remove();
    },
  };
  return stage;
}

/** What a person finds on one side of the lab. */
export interface Side {
  readonly all: Locator;
  readonly title: Locator;
  readonly votes: Locator;
  readonly notes: Locator;
  readonly status: Locator;
  readonly network: Locator;
  /** A button by what stands on it. */
  button(name: string): Locator;
  slot(time: string): Locator;
}

export function side(page: Page, name: "ana" | "ben" | "chloe"): Side {
  const all = page.locator(`[data-person="${name}"]`);
  return {
    all,
    title: all.locator(".plan-title"),
    votes: all.locator(".votes"),
    notes: all.locator(".plan-notes"),
    status: all.locator(".panel-status"),
    network: all.getByRole("switch"),
    button: (text) => all.getByRole("button", { name: text }),
    slot: (time) => all.locator(`[data-cell="booking:${time}"]`),
  };
}

/** Waits until something with this text is there. */
export async function shows(where: Locator, text: string | RegExp): Promise<void> {
  await where.filter({ hasText: text }).first().waitFor();
}

/** Waits until there are so many of it. */
export async function counts(where: Locator, n: number): Promise<void> {
  await expect.poll(() => where.count()).toBe(n);
}

/** Waits until nothing of it is there. */
export async function gone(where: Locator): Promise<void> {
  await where.first().waitFor({ state: "detached" });
}

/** Types a line in place of what is there, as a person does. */
export async function write(field: Locator, text: string): Promise<void> {
  await field.fill(text);
  await field.press("Enter");
}

/** Waits until a field holds a text. */
export async function holds(page: Page, field: Locator, text: string): Promise<void> {
  const el = await field.elementHandle();
  // What is a handle here is the element itself over there.
  await until(page, (f) => (f as unknown as HTMLTextAreaElement).value, text, el);
}
