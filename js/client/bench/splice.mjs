// What one key press in a text costs, by the text's length and characters: node client/bench/splice.mjs
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const from = (path) => JSON.stringify(fileURLToPath(new URL(`../src/${path}`, import.meta.url)));

const { outputFiles } = await build({
  stdin: {
    contents: `export * from ${from("splice/algebra.ts")}; export { diff } from ${from("splice/diff.ts")};
      export { apply } from ${from("splice/apply.ts")}; export { intent } from ${from("merge/merge.ts")};
      export { editBody, parseEdit } from ${from("splice/edit.ts")};`,
    resolveDir: fileURLToPath(new URL(".", import.meta.url)),
  },
  bundle: true,
  format: "esm",
  write: false,
});
const code = Buffer.from(outputFiles[0].contents).toString("base64");
const { apply, composeAll, diff, intent, transform } = await import(`data:text/javascript;base64,${code}`);

/** Milliseconds that fn takes: the median of several runs. */
function time(fn, runs = 31) {
  const took = Array.from({ length: runs }, () => {
    const begin = performance.now();
    fn();
    return performance.now() - begin;
  });
  return took.sort((a, b) => a - b)[runs >> 1];
}

const lines = {
  ascii: "The quick brown fox jumps over the lazy dog, 12 times a day.\n",
  cyrillic: "Съешь же ещё этих мягких французских булок, да выпей чаю.\n",
  emoji: "Words and 😀 pictures 👍🏽 in one line, as people write them.\n",
};

/** A string as it comes out of SQLite: in one piece. */
const whole = (s) => new TextDecoder().decode(new TextEncoder().encode(s));
const ms = (n) => `${n.toFixed(3)} ms`.padStart(12);

console.log(
  "one key press in the middle".padEnd(30),
  "intent".padStart(12),
  "apply".padStart(12),
  "carried over".padStart(14),
);
for (const [name, line] of Object.entries(lines)) {
  for (const size of [1 << 10, 100 << 10, 1 << 20]) {
    const before = whole(line.repeat(Math.ceil(size / line.length)).slice(0, size));
    const at = before.lastIndexOf(" ", size / 2);
    const after = whole(`${before.slice(0, at)}x${before.slice(at)}`);
    const p = diff(before, after);
    const theirs = diff(before, `${before.slice(0, 4)}yes${before.slice(6)}`);
    console.log(
      `${name} ${size >> 10} KB`.padEnd(30),
      ms(time(() => intent("text", before, after))),
      ms(time(() => apply(p, before).length)),
      ms(time(() => transform(p, theirs, true))).padStart(14),
    );
  }
}

const page = lines.ascii.repeat((1 << 20) / lines.ascii.length);
const noise = Array.from(page, (_, i) => String.fromCharCode(97 + ((i * i) % 23))).join("");
console.log("\nvery different texts of 1 MB");
for (const [name, after] of Object.entries({ noise, upper: page.toUpperCase() })) {
  console.log(name.padEnd(30), ms(time(() => diff(page, after), 5)));
}
const typing = Array.from({ length: 10_000 }, (_, i) => [{ at: i % 5000, delete: 0, insert: "x", deleted: "" }]);
console.log("\n10,000 key presses, composed".padEnd(31), ms(time(() => composeAll(typing), 5)));
