// Writes a package's types, only those that its entries reach.
import { execFile } from "node:child_process";
import { readdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { at } from "./bundle.mjs";

const run = promisify(execFile);

const relative = /(from |import\()"(\.{1,2}\/[^"]+)\.ts"/g;

/** Runs the compiler for a package and leaves in dist/ what `entries` need. */
export async function writeTypes(name, entries) {
  const tsc = at("node_modules/typescript/bin/tsc");
  await run(process.execPath, [tsc, "-p", at(`${name}/tsconfig.build.json`)]).catch((err) => {
    throw new Error(`types of ${name}:\n${err.stdout || err.message}`);
  });
  const dist = at(`${name}/dist`);
  const kept = new Set();
  const visit = async (file) => {
    if (kept.has(file)) return;
    kept.add(file);
    const text = await readFile(file, "utf8");
    // Not every bundler's resolver takes the source's extension for the types'.
    await writeFile(file, text.replaceAll(relative, '$1"$2.js"'));
    for (const [, , path] of text.matchAll(relative)) await visit(resolve(dirname(file), `${path}.d.ts`));
  };
  for (const entry of entries) await visit(join(dist, `${entry}.d.ts`));
  await prune(dist, kept);
}

/** Removes types that are not kept, and folders that are empty then. */
async function prune(folder, kept) {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await prune(path, kept);
    else if (path.endsWith(".d.ts") && !kept.has(path)) await rm(path);
  }
  if ((await readdir(folder)).length === 0) await rmdir(folder);
}
