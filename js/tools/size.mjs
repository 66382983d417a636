// Prints how large our own code is, minified and compressed, and fails when it is too large.
import { gzipSync } from "node:zlib";
import { bareSqlite, bundle, findWorker, foreign, main, react, sqlite, worker } from "./bundle.mjs";

const KB = 1000;

/** Entries, and how large each may be. What runs on the main thread delays a page; the worker starts beside it. */
const parts = [
  { name: "@tidemark/client, main thread", entry: main.index, limit: 10 * KB, sum: true },
  { name: "@tidemark/client, worker", entry: worker.worker, limit: 91 * KB, sum: true },
  { name: "the same with SQLite's JavaScript", entry: worker.worker, limit: 136 * KB, whole: true },
  { name: "@tidemark/client/inspector", entry: main.inspector, limit: 9 * KB },
  { name: "@tidemark/client/kysely", entry: main.kysely, limit: 1 * KB },
  { name: "@tidemark/client/drizzle", entry: main.drizzle, limit: 1 * KB },
  { name: "@tidemark/react", entry: react.index, limit: 4 * KB },
];

/** Bundles one entry without other packages, SQLite only when it is asked for. */
async function measure(entry, whole = false) {
  const external = whole ? foreign : [...foreign, sqlite];
  const options = { external, plugins: whole ? [bareSqlite] : [findWorker], write: false };
  const [{ code, modules }] = await bundle(entry, { minify: true, comments: false }, options);
  return { raw: code.length, gzip: gzipSync(code, { level: 9 }).length, modules: Object.entries(modules) };
}

const kb = (n) => (n / KB).toFixed(1).padStart(7);
const line = (name, raw, gzip, limit) =>
  console.log(`${name.padEnd(34)}${kb(raw)}${kb(gzip)}${limit ? kb(limit) : ""}`);

console.log(`${"kB".padEnd(34)}    raw   gzip  limit`);
const folders = new Map();
const sum = { raw: 0, gzip: 0 };
let failed = false;
for (const { name, entry, limit, sum: summed, whole } of parts) {
  const m = await measure(entry, whole);
  line(name, m.raw, m.gzip, limit);
  if (m.gzip > limit) {
    failed = true;
    console.error(`${name} is ${m.gzip - limit} bytes too large`);
  }
  if (!summed) continue;
  sum.raw += m.raw;
  sum.gzip += m.gzip;
  // How long a module is once minified nobody tells: its share of what is rendered is near to it.
  const rendered = m.modules.reduce((n, [, { renderedLength }]) => n + renderedLength, 0);
  for (const [path, { renderedLength }] of m.modules) {
    const folder = path.replace(/^.*client\/src\//, "").replace(/\/.*$/, "/");
    folders.set(folder, (folders.get(folder) ?? 0) + (m.gzip * renderedLength) / rendered);
  }
}
line("@tidemark/client, both", sum.raw, sum.gzip);
if (process.argv.includes("--folders")) {
  for (const [name, bytes] of [...folders].sort((a, b) => b[1] - a[1])) console.log(`  ${name.padEnd(32)}${kb(bytes)}`);
}
process.exit(failed ? 1 : 0);
