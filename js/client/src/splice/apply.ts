import { count, flat, offset } from "./count.ts";
import { check, type Patch, type Splice, Unfit } from "./splice.ts";
import { Builder, REMOVE } from "./walk.ts";

/** Calls fn with the offsets of what each splice deletes; throws Unfit where the text is too short. */
function each(p: Patch, text: string, fn: (s: Splice, from: number, to: number) => void): void {
  check(p, count);
  const plain = flat(text);
  let done = 0;
  let at = 0;
  for (const s of p) {
    const from = offset(text, done, s.at - at, plain);
    done = from < 0 ? from : offset(text, from, s.delete, plain);
    if (done < 0) throw new Unfit("the text is too short for the patch");
    fn(s, from, done);
    at = s.at + s.delete;
  }
}

/** The text with the patch put on it. Throws Unfit when it is too short, or does not hold what the patch deletes. */
export function apply(p: Patch, text: string): string {
  let out = "";
  let done = 0;
  each(p, text, (s, from, to) => {
    if (s.deleted !== "" && text.slice(from, to) !== s.deleted)
      throw new Unfit("the text does not hold what the patch deletes");
    out += text.slice(done, from) + s.insert;
    done = to;
  });
  return out + text.slice(done);
}

/** The patch with all that it deletes from the text. Throws Unfit as apply does. */
export function fill(p: Patch, text: string): Patch {
  const out: Splice[] = [];
  each(p, text, (s, from, to) => out.push({ ...s, deleted: text.slice(from, to) }));
  return out;
}

/** The patch without what it deletes, as it travels. */
export function bare(p: Patch): Patch {
  return p.map((s) => ({ ...s, deleted: "" }));
}

/** The patch that takes p back, which must hold what it deletes. */
export function invert(p: Patch): Patch {
  const out = new Builder();
  let at = 0;
  for (const s of p) {
    if (s.delete > 0 && s.deleted === "") throw new Unfit("a splice does not say what it deletes");
    out.retain(s.at - at);
    out.insert(s.deleted);
    out.remove({ kind: REMOVE, n: count(s.insert), text: s.insert });
    at = s.at + s.delete;
  }
  return out.patch();
}
