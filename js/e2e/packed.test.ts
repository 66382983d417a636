import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Browser, browser, freeAddress, launch, type Served, scratch, serve, sqlite3, until } from "./harness.ts";

const run = promisify(execFile);
const js = fileURLToPath(new URL("..", import.meta.url));

/** An app as `npm create vite` makes one, without any configuration. */
const APP: Record<string, string> = {
  "index.html": `<!doctype html><div id="root"></div><script type="module" src="/src/main.tsx"></script>`,
  "tsconfig.json": JSON.stringify({
    compilerOptions: {
      target: "es2022",
      module: "esnext",
      moduleResolution: "bundler",
      jsx: "react-jsx",
      strict: true,
      noEmit: true,
      lib: ["es2023", "dom", "dom.iterable"],
      types: ["vite/client"],
    },
    include: ["src"],
  }),
  "src/own-worker.ts": `
    import { serve } from "@tidemark/client/worker";
    serve({ merge: { longest: (base, theirs, mine) => (String(mine).length > String(theirs).length ? mine : theirs) } });
  `,
  "src/schema.ts": "export interface Task { id: string; title: string }\n",
  "src/main.tsx": `
    import { id, type Level, open } from "@tidemark/client";
    import { mountInspector } from "@tidemark/client/inspector";
    import { TidemarkProvider, useDatabase, useQuery, useStatus } from "@tidemark/react";
    import { createRoot } from "react-dom/client";
    import type { Task } from "./schema";

    function List() {
      const db = useDatabase();
      const { rows, loading } = useQuery<Task>("SELECT id, title FROM task ORDER BY title");
      const { storage } = useStatus();
      return (
        <>
          <ul>{rows.map((r) => <li key={r.id}>{r.title}</li>)}</ul>
          <p id="storage">{loading ? "" : storage?.level}</p>
          <button onClick={() => db.exec\`INSERT INTO task (id, title) VALUES (\${id()}, \${"from the app"})\`}>add</button>
          <button onClick={() => mountInspector(db, { open: true })}>inspect</button>
        </>
      );
    }

    const query = new URLSearchParams(location.search);
    const name = query.get("name")!;
    const server = query.get("server")!;
    const storage = query.get("storage") as Level;
    const worker = () => new Worker(new URL("./own-worker.ts", import.meta.url), { type: "module" });
    createRoot(document.getElementById("root")!).render(
      <TidemarkProvider database={() => open({ name, server, storage, ...(name === "own" ? { worker } : {}) })} fallback="opening">
        <List />
      </TidemarkProvider>,
    );
  `,
};

/** Whether npm can get the packages that the app needs; an error on a build server when it cannot. */
async function install(app: string): Promise<boolean> {
  try {
    await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: app });
    return true;
  } catch (err) {
    if (process.env.CI) throw err;
    console.warn("the app's packages cannot be installed here; the test of the packages is skipped");
    return false;
  }
}

describe.skipIf(browser === "")("the packages in a plain Vite app", () => {
  const dir = scratch();
  const app = join(dir.path, "app");
  const vite = join(app, "node_modules/vite/bin/vite.js");
  const file = join(dir.path, "shop.sqlite");
  let chrome: Browser;
  let served: Served;
  let port: string;
  let installed = false;

  beforeAll(async () => {
    await run(process.execPath, ["tools/build.mjs"], { cwd: js });
    const packed: Record<string, string> = {};
    for (const name of ["client", "react"]) {
      const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", dir.path, "--loglevel=error"], {
        cwd: join(js, name),
      });
      const [{ filename }] = Object.values(JSON.parse(stdout)) as [{ filename: string }];
      packed[`@tidemark/${name}`] = `file:${join(dir.path, filename)}`;
    }
    mkdirSync(join(app, "src"), { recursive: true });
    for (const [name, text] of Object.entries(APP)) writeFileSync(join(app, name), text);
    const manifest = {
      private: true,
      type: "module",
      dependencies: { ...packed, react: "19.3.1", "react-dom": "19.3.1" },
      devDependencies: { vite: "8.3.8", "@types/react": "19.3.0", "@types/react-dom": "19" },
    };
    writeFileSync(join(app, "package.json"), JSON.stringify(manifest));
    installed = await install(app);
    port = new URL(`http://${await freeAddress()}`).port;
    await sqlite3(
      file,
      "CREATE TABLE task (id TEXT PRIMARY KEY, title TEXT NOT NULL); INSERT INTO task VALUES ('a', 'first')",
    );
    served = await serve([file], `http://127.0.0.1:${port}`);
    chrome = await launch(join(dir.path, "profile"));
  }, 600_000);

  afterAll(async () => {
    await chrome?.close();
    await served?.stop();
    dir.remove();
  });

  test("their types hold, read strictly", async ({ skip }) => {
    if (!installed) skip();
    const tsc = join(js, "node_modules/typescript/bin/tsc");
    const found = await run(process.execPath, [tsc, "-p", app]).catch((err) => err as { stdout: string });
    expect(found.stdout).toBe("");
  });

  /** Looks at the app, adds a row and opens the inspector; named `own` it runs the worker that it brings. */
  const use = async (name: string, storage: string): Promise<void> => {
    const page = await chrome.context.newPage();
    const errors: string[] = [];
    page.on("pageerror", (err) => errors.push(err.message));
    const server = encodeURIComponent(`${served.url}/shop`);
    await page.goto(`http://127.0.0.1:${port}/?name=${name}&storage=${storage}&server=${server}`);
    await page.waitForSelector("li");
    expect(await page.locator("#storage").textContent()).toBe(storage);
    const before = await page.locator("li").allTextContents();
    expect(before).toContain("first");
    await page.getByText("add", { exact: true }).click();
    await until(page, (n) => document.querySelectorAll("li").length > n, true, before.length);
    await page.getByText("inspect").click();
    await page.getByRole("tab", { name: "Live queries" }).click();
    await page.getByText("SELECT id, title FROM task ORDER BY title").waitFor();
    expect(errors).toEqual([]);
    await page.close();
  };

  test.for(["dev", "build"] as const)("the app works (%s)", async (mode, { skip }) => {
    if (!installed) skip();
    if (mode === "build") await run(process.execPath, [vite, "build"], { cwd: app });
    const args = ["--host", "127.0.0.1", "--port", port, "--strictPort"];
    const server = spawn(process.execPath, [vite, ...(mode === "dev" ? [] : ["preview"]), ...args], {
      cwd: app,
      stdio: ["ignore", "pipe", "inherit"],
    });
    const gone = new Promise((resolve) => server.on("close", resolve));
    try {
      await listening(server);
      await use("own", "opfs");
      for (const storage of ["opfs", "indexeddb", "memory"]) await use(storage, storage);
    } finally {
      server.kill();
      await gone;
    }
  });
});

/** Resolves when a server of Vite's says its address. */
function listening(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    server.stdout?.on("data", (d) => {
      said += d;
      if (said.includes("http://")) resolve();
    });
    server.on("close", () => reject(new Error(`Vite ended: ${said}`)));
  });
}
