import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { type BrowserContext, chromium, type Page } from "playwright-core";

const js = fileURLToPath(new URL("..", import.meta.url));

/** Where a program may be that goes by one of these names. */
function places(...names: readonly string[]): string[] {
  const dirs = (process.env.PATH ?? "").split(":");
  return dirs.flatMap((dir) => names.map((name) => join(dir, name)));
}

/** Where browsers are looked for when CHROMIUM does not name one. */
const BROWSERS = [
  ...places("chromium", "chromium-browser", "google-chrome"),
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** The browser's path; "" where the tests cannot run, which is an error on a build server. */
export const browser = findBrowser();

function findBrowser(): string {
  const found = process.env.CHROMIUM ?? BROWSERS.find(existsSync) ?? "";
  let say = "";
  if (found === "") say = "there is no Chromium: install chromium or google-chrome, or name one in CHROMIUM";
  else if (!places("sqlite3").some(existsSync)) say = "there is no sqlite3: install it";
  if (say === "") return found;
  if (process.env.CI) throw new Error(say);
  console.warn(`${say}; the tests in a browser are skipped`);
  return "";
}

/** The program under test; `make e2e` builds it. */
export const tidemark = process.env.TIDEMARK ?? join(js, "..", "bin", "tidemark");

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-features=SpareRendererForSitePerProcess",
  "--disable-dev-shm-usage",
];

/** A directory that goes when the test is over. */
export function scratch(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), "tidemark-e2e-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** A running browser. */
export interface Browser {
  readonly context: BrowserContext;
  /** Ends it in order. */
  close(): Promise<void>;
  /** Ends it and all of its processes at once, as a crash or a power cut does. */
  kill(): Promise<void>;
  /** Ids of the processes that run pages. */
  renderers(): number[];
}

/** A browser with a profile, which survives when it is closed or killed and opened again. */
export async function launch(profile: string): Promise<Browser> {
  const port = join(profile, "DevToolsActivePort");
  rmSync(port, { force: true });
  // A browser that was killed leaves these behind.
  for (const name of ["SingletonLock", "SingletonCookie", "SingletonSocket"])
    rmSync(join(profile, name), { force: true });
  const args = [...FLAGS, "--headless", `--user-data-dir=${profile}`, "--remote-debugging-port=0", "about:blank"];
  const child = spawn(browser, args, { stdio: "ignore", detached: true });
  const gone = new Promise<void>((resolve) => child.on("close", () => resolve()));
  let over = false;
  void gone.then(() => {
    over = true;
  });
  while (!existsSync(port) || !readFileSync(port, "utf8").includes("\n")) {
    if (over) throw new Error("the browser ended before it listened");
    await moment();
  }
  const connection = await chromium.connectOverCDP(`http://127.0.0.1:${readFileSync(port, "utf8").split("\n")[0]}`);
  const context = connection.contexts()[0]!;
  context.setDefaultTimeout(60_000);
  const end = (signal: NodeJS.Signals) => async (): Promise<void> => {
    // The group is that of the browser and of all that it started.
    process.kill(-child.pid!, signal);
    await gone;
    await connection.close().catch(() => {});
  };
  return {
    context,
    close: end("SIGTERM"),
    kill: end("SIGKILL"),
    renderers: () => renderersOf(child.pid!),
  };
}

/** Processes of a browser that run pages, as Linux tells. */
function renderersOf(group: number): number[] {
  const found: number[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const pgrp = Number(readFileSync(`/proc/${name}/stat`, "utf8").split(") ")[1]!.split(" ")[2]);
      if (pgrp === group && readFileSync(`/proc/${name}/cmdline`, "utf8").includes("--type=renderer"))
        found.push(Number(name));
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

const moment = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

/** Builds the page of these tests and the worker from source, and serves them. */
export async function serveSite(
  more: Readonly<Record<string, string>> = {},
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const files = new Map<string, [type: string, body: string | Uint8Array]>();
  const script = async (entry: string, external: Record<string, string> = {}): Promise<string> => {
    const built = await esbuild.build({
      entryPoints: [join(js, entry)],
      bundle: true,
      format: "esm",
      target: "es2022",
      write: false,
      logLevel: "error",
      define: external,
    });
    return built.outputFiles[0]!.text;
  };
  // esbuild leaves `new URL("./worker/main.ts", import.meta.url)` alone: the worker is served under that name.
  const page = await script("e2e/site/page.ts");
  const html = (at: string): [string, string] => [
    "text/html",
    `<!doctype html><meta charset="utf-8"><title>tidemark</title><script type="module" src="${at}"></script>`,
  ];
  files.set("/", html("/page.js"));
  files.set("/page.js", ["text/javascript", page]);
  files.set("/worker/main.ts", ["text/javascript", await script("client/src/worker/main.ts")]);
  for (const [at, entry] of Object.entries(more)) files.set(at, ["text/javascript", await script(entry)]);
  const wasm = join(js, "node_modules/@sqlite.org/sqlite-wasm/dist/sqlite3.wasm");
  files.set("/worker/sqlite3.wasm", ["application/wasm", readFileSync(wasm)]);
  const server: Server = createServer((req, res) => {
    const file = files.get((req.url ?? "/").split("?")[0]!);
    if (!file) {
      res.writeHead(404).end();
      return;
    }
    res.writeHead(200, { "Content-Type": file[0] }).end(file[1]);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A server that listens on a port has an address of this kind.
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return { url: `http://127.0.0.1:${port}/`, close };
}

/** Runs the program and returns what it printed; fails when it does. */
export function run(...args: string[]): Promise<string> {
  return finished(spawn(tidemark, args, { stdio: ["ignore", "pipe", "pipe"] }), args.join(" "));
}

/** Runs statements on a file as any SQLite tool would. */
export async function sqlite3(file: string, sql: string): Promise<string> {
  return await finished(spawn("sqlite3", ["-cmd", ".timeout 30000", file, sql]), "sqlite3");
}

function finished(child: ChildProcess, what: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = "";
    let err = "";
    child.stdout?.on("data", (d) => (out += d));
    child.stderr?.on("data", (d) => (err += d));
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve(out) : reject(new Error(`${what}: ${err || `exit code ${code}`}`)),
    );
  });
}

/** A running server of spaces, one for each file. */
export interface Served {
  readonly url: string;
  stop(): Promise<void>;
  /** Ends it without a word. */
  kill(): Promise<void>;
}

/**
 * An address for a server that goes and comes back. It is below the ports that a system
 * chooses, which would give one that is let go to anybody.
 */
export async function freeAddress(): Promise<string> {
  for (let port = 20_000 + ((process.pid * 101) % 9000); ; port++) {
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (free) return `127.0.0.1:${port}`;
  }
}

/** Serves files to the pages of `origin`. */
export async function serve(
  files: readonly string[],
  origin: string,
  listen = "127.0.0.1:0",
  flags: readonly string[] = [],
): Promise<Served> {
  const dir = scratch();
  const ready = join(dir.path, "address");
  const where = ["--listen", listen, "--ready-file", ready, "--origin", new URL(origin).origin];
  const args = ["serve", ...files, ...where, ...flags];
  const child = spawn(tidemark, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (d) => (said += d));
  const gone = new Promise<void>((resolve) => child.on("close", () => resolve()));
  let over = false;
  void gone.then(() => (over = true));
  while (!existsSync(ready) || readFileSync(ready, "utf8").trim() === "") {
    if (over) throw new Error(`the server ended: ${said}`);
    await moment();
  }
  const url = `http://${readFileSync(ready, "utf8").trim()}`;
  const end = (signal: NodeJS.Signals) => async (): Promise<void> => {
    child.kill(signal);
    await gone;
    dir.remove();
  };
  return { url, stop: end("SIGTERM"), kill: end("SIGKILL") };
}

/**
 * Waits until the answer of a page is `want`. The question may be asynchronous:
 * waitForFunction would take the promise for a yes, and in a tab that draws no
 * frames it would not ask at all.
 */
export async function until<A, R>(
  page: Page,
  ask: (arg: A) => R | Promise<R>,
  want: NoInfer<R>,
  arg?: A,
  within = 60_000,
): Promise<void> {
  const expected = JSON.stringify(want);
  for (const end = performance.now() + within; ; await moment()) {
    // Playwright's types take what a page is asked with apart, which a type parameter does not allow.
    const got = JSON.stringify(await page.evaluate(ask as (arg: unknown) => unknown, arg));
    if (got === expected) return;
    if (performance.now() > end) throw new Error(`${ask} was ${got} and not ${expected} for ${within} ms`);
  }
}

/** Opens the page in a new tab. */
export async function openTab(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  page.on("pageerror", (err) => console.error(`page: ${err.message}`));
  if (process.env.VERBOSE) page.on("console", (m) => console.log(`page: ${m.text()}`));
  await page.goto(url);
  await until(page, () => "tidemark" in window, true);
  return page;
}

/** What a test may want of its stage. */
interface Setting {
  /** The name of the space. */
  readonly name: string;
  /** Its tables and rows. */
  readonly sql: string;
  /** What the file beside it declares; with it the server asks who comes, with tokens that the stage issues. */
  readonly declared?: string;
  /** More flags for the server. */
  readonly flags?: readonly string[];
  /** More scripts for the site, where they are served. */
  readonly scripts?: Readonly<Record<string, string>>;
}

/** The space that most tests use. */
const SHOP: Setting = {
  name: "shop",
  sql: `
  CREATE TABLE task (id TEXT PRIMARY KEY, title TEXT NOT NULL, done INTEGER NOT NULL DEFAULT 0, votes INTEGER);
  INSERT INTO task (id, title) VALUES ('a', 'first'), ('b', 'second');`,
};

/** Everything that most tests here need: a space that is served, the page's site, a browser. */
export interface Stage {
  readonly site: string;
  readonly file: string;
  readonly space: string;
  readonly served: Served;
  readonly profile: string;
  chrome: Browser;
  /** A token for somebody. */
  token(who: string, ttl?: string): Promise<string>;
  end(): Promise<void>;
}

export async function stage(want: Partial<Setting> = {}): Promise<Stage> {
  const { name, sql, declared, flags = [], scripts } = { ...SHOP, ...want };
  const dir = scratch();
  const site = await serveSite(scripts);
  const file = join(dir.path, `${name}.sqlite`);
  const secret = join(dir.path, "secret");
  await sqlite3(file, sql);
  const asks: string[] = [];
  if (declared !== undefined) {
    writeFileSync(join(dir.path, `${name}.tidemark.yaml`), declared);
    await run("token", "keygen", "-o", secret);
    asks.push("--auth-secret", secret);
  }
  const served = await serve([file], site.url, "127.0.0.1:0", [...asks, ...flags]);
  const profile = join(dir.path, "profile");
  const s: Stage = {
    site: site.url,
    file,
    space: `${served.url}/${name}`,
    served,
    profile,
    chrome: await launch(profile),
    token: async (who, ttl = "1h") => (await run("token", "issue", "--sub", who, "--ttl", ttl, "--key", secret)).trim(),
    end: async () => {
      await s.chrome.kill().catch(() => {});
      await served.stop();
      await site.close();
      dir.remove();
    },
  };
  return s;
}
