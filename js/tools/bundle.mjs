// What the packages are made of and how they are bundled, for build.mjs and size.mjs.
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

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
export const foreign = ["react", "@tidemark/client", "kysely", "drizzle-orm", /^drizzle-orm\//];

/**
 * Bundles entries into files that browsers run, and gives these. A constant
 * stands wherever it is used: minified and compressed that is shorter.
 */
export async function bundle(input, output, { plugins = [], ...options } = {}) {
  const made = await build({
    input,
    platform: "browser",
    transform: { target: "es2022" },
    optimization: { inlineConst: { mode: "all" } },
    external: foreign,
    plugins: [...plugins, plainAddresses],
    ...options,
    output: { format: "esm", ...output },
  });
  return made.output;
}

/** Not every bundler finds a file whose address the minifier has put into backticks. */
const plainAddresses = {
  name: "plain-addresses",
  generateBundle(_, files) {
    for (const f of Object.values(files)) {
      if (f.type === "chunk") f.code = f.code.replace(/new URL\(`([^`$]+)`,(?=import\.meta\.url\))/g, 'new URL("$1",');
    }
  },
};

/** Changes a file's text before it is bundled; a file that does not have the text any more is an error. */
function edit(name, file, from, to) {
  const handler = (code, id) => {
    const edited = code.replaceAll(from, to);
    if (edited === code) throw new Error(`${id} is not as ${name} expects it`);
    return edited;
  };
  return { name, transform: { filter: { id: file }, handler } };
}

/**
 * Lets the main thread find the worker in dist/, where it has another name.
 * Bundlers look for the whole expression, so it stays as it is.
 */
export const findWorker = edit(
  "find-worker",
  /client\/src\/spawn\.ts$/,
  'new URL("./worker/main.ts", import.meta.url)',
  'new URL("./worker.js", import.meta.url)',
);

/**
 * What SQLite's JavaScript has and the worker never calls, by words that no other part has: its objects, its
 * own worker, virtual tables, storage in localStorage, and the file systems that need more than one thread.
 */
const unused = [
  "sqlite3.oo1 = {",
  "sqlite3.initWorker1API = ",
  "sqlite3.vtab = ",
  "sqlite3.config.disable?.vfs?.kvvfs",
  "sqlite3.opfs = ",
  "vfs?.opfs) return",
  'vfs?.["opfs-wl"]',
];

/** Takes SQLite's JavaScript without these parts, and without addresses of files that bundlers would look for and not find. */
export const bareSqlite = {
  name: "bare-sqlite",
  transform: {
    filter: { id: /sqlite-wasm\/dist\/index\.mjs$/ },
    handler(code, id) {
      const parts = code.split(/^(?=\t\tglobalThis\.sqlite3ApiBootstrap\.initializers\.push\()/m);
      for (const words of unused) {
        const at = parts.findIndex((part) => part.includes(words));
        const end = parts[at]?.indexOf("\n\t\t});\n") ?? -1;
        if (at < 1 || end < 0) throw new Error(`${id} has no part with ${words}`);
        parts[at] = parts[at].slice(end + "\n\t\t});\n".length);
      }
      return parts
        .join("")
        .replaceAll(/new URL\("sqlite3-(worker1\.mjs|opfs-async-proxy\.js)", import\.meta\.url\)/g, '""');
    },
  },
};

/** The module itself, which is copied beside the worker. */
export const wasmFile = at(`node_modules/${wasm}/dist/sqlite3.wasm`);

/** What size.mjs leaves out besides, to see what is ours. */
export const sqlite = wasm;
