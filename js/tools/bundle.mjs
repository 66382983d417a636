// What the packages are made of, for build.mjs and size.mjs.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** Absolute path of a file of the workspace. */
export const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

const wasm = "@sqlite.org/sqlite-wasm";

/** Entries that run on the main thread, by the names of their files in dist/. */
export const main = {
  index: at("client/src/index.ts"),
  inspector: at("client/src/inspector/index.ts"),
  kysely: at("client/src/kysely.ts"),
  drizzle: at("client/src/drizzle.ts"),
};

/** Entries that run in the worker: the one that the main thread starts, and the one for apps that bring their own. */
export const worker = {
  worker: at("client/src/worker/main.ts"),
  serve: at("client/src/worker/serve.ts"),
};

export const react = { index: at("react/src/index.ts") };

/** What is not ours. */
export const foreign = ["react", "@tidemark/client", "kysely", "drizzle-orm", "drizzle-orm/*"];

export const common = {
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  logLevel: "warning",
  metafile: true,
};

/**
 * Lets the main thread find the worker in dist/, where it has another name.
 * Bundlers look for the whole expression, so it stays as it is.
 */
export const findWorker = {
  name: "find-worker",
  setup(build) {
    build.onLoad({ filter: /client\/src\/spawn\.ts$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const contents = source.replace(
        'new URL("./worker/main.ts", import.meta.url)',
        'new URL("./worker.js", import.meta.url)',
      );
      if (contents === source) throw new Error(`${path} does not name the worker as expected`);
      return { contents, loader: "ts" };
    });
  },
};

/**
 * Takes SQLite's JavaScript without the parts that we never start: bundlers
 * would look for their files and fail.
 */
export const bareSqlite = {
  name: "bare-sqlite",
  setup(build) {
    build.onResolve({ filter: new RegExp(`^${wasm}$`) }, () => ({ path: at(`node_modules/${wasm}/dist/index.mjs`) }));
    build.onLoad({ filter: /sqlite-wasm\/dist\/index\.mjs$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const contents = source.replace(
        /new URL\("sqlite3-(worker1\.mjs|opfs-async-proxy\.js)", import\.meta\.url\)/g,
        '""',
      );
      if (contents === source) throw new Error(`${path} is not as expected: look at what it starts`);
      return { contents, loader: "js" };
    });
  },
};

/** The module itself, which is copied beside the worker. */
export const wasmFile = at(`node_modules/${wasm}/dist/sqlite3.wasm`);

/** Leaves SQLite out, to see what is ours. */
export const withoutSqlite = {
  name: "without-sqlite",
  setup(build) {
    build.onResolve({ filter: new RegExp(`^${wasm}$`) }, () => ({ path: wasm, external: true }));
  },
};
