// Builds @tidemark/client and @tidemark/react into their dist/ folders.
import { copyFile, rm } from "node:fs/promises";
import { build } from "esbuild";
import { at, bareSqlite, common, findWorker, foreign, main, react, wasmFile, worker } from "./bundle.mjs";
import { writeTypes } from "./types.mjs";

const client = at("client/dist");

/** The main thread's code is left readable: the app's bundler minifies it. */
async function buildMain() {
  await build({
    ...common,
    entryPoints: main,
    outdir: client,
    splitting: true,
    chunkNames: "chunk-[hash]",
    external: foreign,
    plugins: [findWorker],
  });
}

/** The worker is one file for both entries, minified: few bundlers do that to workers. */
async function buildWorker() {
  await build({
    ...common,
    entryPoints: worker,
    outdir: client,
    splitting: true,
    chunkNames: "engine-[hash]",
    minify: true,
    plugins: [bareSqlite],
  });
  await copyFile(wasmFile, `${client}/sqlite3.wasm`);
}

async function buildReact() {
  await build({
    ...common,
    entryPoints: react,
    outdir: at("react/dist"),
    external: foreign,
    // Hooks run in the browser only: for frameworks that split an app in two.
    banner: { js: '"use client";' },
  });
}

/** Types, of the client first: those of React name them. */
async function types() {
  await writeTypes("client", ["index", "inspector/index", "kysely", "drizzle", "worker/serve"]);
  await writeTypes("react", ["index"]);
}

try {
  await Promise.all([
    rm(client, { recursive: true, force: true }),
    rm(at("react/dist"), { recursive: true, force: true }),
  ]);
  await Promise.all([buildMain(), buildWorker(), buildReact(), types()]);
} catch (err) {
  console.error(err instanceof Error ? err.message : err);
  process.exit(1);
}
