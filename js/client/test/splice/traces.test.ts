import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { composeAll, transform } from "../../src/splice/algebra.ts";
import { apply } from "../../src/splice/apply.ts";
import { diff } from "../../src/splice/diff.ts";
import { parseBody, patchBody } from "../../src/splice/edit.ts";
import type { Patch } from "../../src/splice/splice.ts";

/** A recorded session of people who wrote a text. */
interface Trace {
  readonly startContent?: string;
  readonly endContent: string;
  readonly txns: readonly Txn[];
}

interface Txn {
  /** Places of the transactions that its author had seen; left out where each follows the one before it. */
  readonly parents?: readonly number[];
  readonly agent?: number;
  readonly patches: readonly (readonly [at: number, remove: number, insert: string])[];
}

const file = (name: string): URL => new URL(`../../../../../shared/data/trace-${name}.json.gz`, import.meta.url);

function read(name: string): Trace {
  return JSON.parse(gunzipSync(readFileSync(file(name))).toString());
}

/** The patches of a transaction follow one another. */
function patchOf(t: Txn): Patch {
  const real = t.patches.filter(([, remove, insert]) => remove > 0 || insert !== "");
  return composeAll(real.map(([at, remove, insert]) => [{ at, delete: remove, insert, deleted: "" }]));
}

const there = existsSync(file("automerge-paper"));
if (!there) console.warn("the editing traces are not here: their tests are skipped");

describe.skipIf(!there)("recorded edits", () => {
  test("a paper is written key by key", { timeout: 120_000 }, () => {
    const trace = read("automerge-paper");
    let text = trace.startContent ?? "";
    const all: Patch[] = [];
    for (const [i, t] of trace.txns.entries()) {
      const p = patchOf(t);
      const next = apply(p, text);
      if (i % 50 === 0) {
        const found = diff(text, next);
        expect(apply(parseBody(patchBody(found, true)), text)).toBe(next);
      }
      all.push(p);
      text = next;
    }
    expect(text).toBe(trace.endContent);
    expect(apply(composeAll(all), trace.startContent ?? "")).toBe(trace.endContent);
  });

  /**
   * Two people type at the same time, each on what they had seen. A server takes
   * their edits in the order in which they are recorded, each carried over what its
   * author had not seen.
   */
  test("the text of two who typed at the same time is the recorded one", { timeout: 120_000 }, () => {
    const { txns, endContent } = read("friendsforever");
    const known = seenBy(txns);
    const writers: Writer[] = [0, 1].map(() => ({ text: "", inbox: [], arrived: [] }));
    let head = "";
    for (const [i, t] of txns.entries()) {
      const me = t.agent ?? 0;
      const [writer, other] = [writers[me]!, writers[1 - me]!];
      readUpTo(writer, known[i]![1 - me]!);
      let p = patchOf(t);
      writer.text = apply(p, writer.text);
      writer.inbox = writer.inbox.map((theirs) => {
        const [moved, rest] = transform(p, theirs, true); // what comes to the server later stands first
        p = moved;
        return rest;
      });
      head = apply(p, head);
      other.inbox.push(p);
      other.arrived.push(i);
    }
    for (const w of writers) readUpTo(w, Infinity);
    expect(head).toBe(endContent);
    expect(writers.map((w) => w.text)).toEqual([head, head]);
  });
});

/** What a writer shows, and what the server has for them: patches and the transactions that they are. */
interface Writer {
  text: string;
  inbox: Patch[];
  readonly arrived: number[];
}

function readUpTo(w: Writer, txn: number): void {
  while (w.arrived.length > 0 && w.arrived[0]! <= txn) {
    w.arrived.shift();
    w.text = apply(w.inbox.shift()!, w.text);
  }
}

/** For each transaction the newest one of either author that it builds on. */
function seenBy(txns: readonly Txn[]): [number, number][] {
  const known: [number, number][] = [];
  for (const [i, t] of txns.entries()) {
    const at: [number, number] = [-1, -1];
    for (const p of t.parents ?? []) {
      for (const g of [0, 1] as const) at[g] = Math.max(at[g], known[p]![g]);
    }
    at[t.agent === 1 ? 1 : 0] = i;
    known.push(at);
  }
  return known;
}
