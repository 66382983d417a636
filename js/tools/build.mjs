// Builds @tidemark/client and @tidemark/react into their dist/ folders.
import { copyFile, rm } from "node:fs/promises";
import { at, bareSqlite, bundle, findWorker, main, react, wasmFile, worker } from "./bundle.mjs";
import { writeTypes } from "./types.mjs";

const client = at("client/dist");

/** The main thread's code is left readable: the app's bundler minifies it. */
async function buildMain() {
  await bundle(main, { dir: client, chunkFileNames: "chunk-[hash].js" }, { plugins: [findWorker] });
}

/** The worker is one file for both entries, minified: few bundlers do that to workers. */
async function buildWorker() {
  await bundle(worker, { dir: client, chunkFileNames: "engine-[hash].js", minify: true }, { plugins: [bareSqlite] });
  await copyFile(wasmFile, `${client}/sqlite3.wasm`);
}

async function buildReact() {
  // Hooks run in the browser only: for frameworks that split an app in two.
  await bundle(react, { dir: at("react/dist"), banner: '"use client";' });
}

/** npm packs a licence that lies in the package's own folder. */
async function licence() {
  for (const name of ["client", "react"]) await copyFile(at("../LICENSE"), at(`${name}/LICENSE`));
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
  await Promise.all([buildMain(), buildWorker(), buildReact(), licence(), types()]);
} catch (err) {
  console.error(err instanceof Error ? err.message : err);
  process.exit(1);
}
