// Prints how large our own code is, minified and compressed, and fails when it is too large.
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { common, findWorker, foreign, main, react, withoutSqlite, worker } from "./bundle.mjs";

const KB = 1000;

/** What an app loads together, and how large it may be. */
const bundles = [
  { name: "@tidemark/client", limit: 30 * KB, parts: { "main thread": main.index, worker: worker.worker } },
  { name: "@tidemark/client/inspector", parts: { "": main.inspector } },
  { name: "@tidemark/client/kysely", parts: { "": main.kysely } },
  { name: "@tidemark/client/drizzle", parts: { "": main.drizzle } },
  { name: "@tidemark/react", limit: 4 * KB, parts: { "": react.index } },
];

/** Bundles one entry without SQLite and other packages. */
async function measure(entry) {
  const { outputFiles, metafile } = await build({
    ...common,
    entryPoints: [entry],
    write: false,
    minify: true,
    legalComments: "none",
    external: foreign,
    plugins: [findWorker, withoutSqlite],
  });
  const [{ contents }] = outputFiles;
  const [{ inputs }] = Object.values(metafile.outputs);
  return { raw: contents.length, gzip: gzipSync(contents, { level: 9 }).length, inputs };
}

const kb = (n) => (n / KB).toFixed(1).padStart(7);
const line = (name, raw, gzip, limit) =>
  console.log(`${name.padEnd(34)}${kb(raw)}${kb(gzip)}${limit ? kb(limit) : ""}`);

console.log(`${"kB".padEnd(34)}    raw   gzip  limit`);
const folders = new Map();
let failed = false;
for (const { name, limit, parts } of bundles) {
  let raw = 0;
  let gzip = 0;
  for (const [part, entry] of Object.entries(parts)) {
    const m = await measure(entry);
    raw += m.raw;
    gzip += m.gzip;
    if (part === "") continue;
    line(`  ${part}`, m.raw, m.gzip);
    for (const [path, { bytesInOutput }] of Object.entries(m.inputs)) {
      const folder = path.replace(/^.*client\/src\//, "").replace(/\/.*$/, "/");
      folders.set(folder, (folders.get(folder) ?? 0) + bytesInOutput);
    }
  }
  line(name, raw, gzip, limit);
  if (limit && gzip > limit) {
    failed = true;
    console.error(`${name} is ${gzip - limit} bytes too large`);
  }
}
if (process.argv.includes("--folders")) {
  for (const [name, bytes] of [...folders].sort((a, b) => b[1] - a[1])) line(`  ${name}`, bytes, 0);
}
process.exit(failed ? 1 : 0);
