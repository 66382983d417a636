import { createHash } from "node:crypto";
import type { Outcome } from "../../src/change.ts";
import type { Code } from "../../src/codes.ts";
import { atOnce, step, type Work } from "../../src/lite/work.ts";
import { type Applied, nothing } from "../../src/replica/apply.ts";
import { resyncReason } from "../../src/replica/identity.ts";
import { type Effect, type Engine, type Event, Loop, type Note } from "../../src/replica/loop.ts";
import type { ScopeNews } from "../../src/replica/scope-list.ts";
import type { Wants } from "../../src/replica/scopes.ts";
import type { Status } from "../../src/replica/status.ts";
import type { RangeRows } from "../../src/replica/verify.ts";
import type { Schema } from "../../src/schema.ts";
import type { Row } from "../../src/value.ts";
import type { Said } from "../../src/wire/down.ts";
import type { RangeSum } from "../../src/wire/ranges.ts";
import type { Want } from "../../src/wire/scope.ts";
import type { Hello, Push, Up } from "../../src/wire/up.ts";

/** Rows of one table: an integer key and an integer. */
export type Rows = Map<number, number>;

/** The bytes of a stream that a seed begins: the same for the same seed. */
export function seeded(seed: number): (n: number) => Uint8Array {
  let block = 0;
  return (n) => {
    const out = new Uint8Array(n);
    for (let i = 0; i < n; i += 32) {
      const hash = createHash("sha256").update(`${seed}/${block++}`).digest();
      out.set(hash.subarray(0, Math.min(32, n - i)), i);
    }
    return out;
  };
}

/** A random integer below n. */
export function below(rand: (n: number) => Uint8Array, n: number): number {
  const b = rand(4);
  return new DataView(b.buffer, b.byteOffset).getUint32(0, true) % n;
}

/** A replica without a file: numbers instead of rows. */
export class FakeEngine implements Engine {
  seq = 0;
  head = 0;
  waiting: Push[] = [];
  settledOnes: Outcome[] = [];
  unsealed = 0;
  repair = "";
  stopped = "";
  renamed = 0;
  proved = 0;
  repaired = 0;
  /** Those that the server listed; whether they are whole. */
  scopes = new Map<string, boolean>();
  /** What the next schema brings. */
  bySchema: Applied | null = null;
  only = false;
  want: Want[] = [];
  subscribed = 0;
  heard = 0;
  /** Thrown by the next call that can fail. */
  fail: unknown = null;
  schema: Schema = { hash: "", tables: [], objects: [], scopes: [], public: [], declared: "", guards: [] };
  /** What ranges are computed of, by table. */
  readonly mine = new Map<number, Rows>();

  private take(): void {
    const err = this.fail;
    this.fail = null;
    if (err) throw err;
  }

  seal(): number {
    const n = this.unsealed;
    for (; this.unsealed > 0; this.unsealed--) {
      this.waiting.push(pushOf(this.settledOnes.length + this.waiting.length + 1, new Uint8Array(100)));
    }
    this.take();
    return n;
  }

  unsent(after: number, bytes: number): Push[] {
    const out: Push[] = [];
    let left = bytes;
    for (const p of this.waiting) {
      if (p.n <= after || (out.length > 0 && left <= 0)) continue;
      out.push(p);
      left -= p.body?.length ?? 0;
    }
    this.take();
    return out;
  }

  hello(): Hello {
    this.take();
    return {
      type: "hello",
      protocol: 1,
      space: "",
      incarnation: "",
      term: "t",
      replica: "",
      ticket: "",
      schema: "",
      seq: this.seq,
      sum: 0n,
      staged: "",
      settled: this.settledOnes.length,
      readOnly: false,
      agent: "",
      clock: 0,
      token: "",
      held: [],
      only: false,
      want: [],
      ask: this.subscribed,
    };
  }

  welcome(w: Extract<Said, { type: "welcome" }>): Work<Applied | null> {
    return step(() => this.#welcome(w));
  }

  #welcome(w: Extract<Said, { type: "welcome" }>): Applied | null {
    if (w.resync) {
      this.seq = w.head;
      this.repair = resyncReason;
    }
    this.head = w.head;
    this.stopped = "";
    this.take();
    return this.list(w.scopes);
  }

  takeScopes(m: Extract<Said, { type: "scopes" }>): Work<Applied | null> {
    this.take();
    return step(() => this.list(m.list));
  }

  /** Takes over which scopes there are; what is gained is to be filled. */
  private list(names: readonly string[]): Applied | null {
    const old = this.scopes;
    this.scopes = new Map(names.map((n) => [n, old.get(n) ?? false]));
    const about = (scope: string, state: ScopeNews["state"]) => ({ scope, state, rows: 0, unwanted: false });
    const scopes = [
      ...names.filter((n) => !old.has(n)).map((n) => about(n, "gained")),
      ...[...old.keys()].filter((n) => !this.scopes.has(n)).map((n) => about(n, "lost")),
    ];
    return scopes.length > 0 ? { ...nothing(this.seq), scopes } : null;
  }

  wants(): Wants {
    this.take();
    return { only: this.only, want: this.want };
  }

  wanted(): number {
    this.take();
    return this.subscribed;
  }

  answered(n: number): void {
    this.take();
    this.heard = n;
  }

  filling(): boolean {
    this.take();
    return [...this.scopes.values()].includes(false);
  }

  reidentify(): void {
    this.renamed++;
    this.take();
  }

  /** Tells what the test says that a schema brings. */
  saveSchema(): Work<Applied | null> {
    return step(() => {
      const news = this.bySchema;
      this.bySchema = null;
      this.take();
      return news;
    });
  }

  lease(): void {
    this.take();
  }

  stop(code: Code): void {
    this.stopped = code;
  }

  prove(): Work<void> {
    return step(() => {
      this.proved++;
      this.repair = "";
      this.take();
    });
  }

  status(): Status {
    return {
      space: "",
      server: "",
      incarnation: "",
      replica: "",
      principal: "",
      seq: this.seq,
      head: this.head,
      pending: this.waiting.length,
      suspended: 0,
      rejected: 0,
      unsealed: this.unsealed > 0,
      staged: 0,
      proven: false,
      repair: this.repair,
      contact: 0,
      readOnly: false,
      out: new Map(),
      stopped: this.stopped,
      scoped: this.scopes.size > 0,
      only: this.only,
      filling: [...this.scopes.values()].filter((whole) => !whole).length,
      unasked: this.subscribed !== this.heard,
    };
  }

  apply(b: Extract<Said, { type: "batch" }>, outcomes: Outcome[]): Work<Applied> {
    return step(() => this.#apply(b, outcomes));
  }

  #apply(b: Extract<Said, { type: "batch" }>, outcomes: Outcome[]): Applied {
    this.take();
    if (b.from !== this.seq) throw new Error("the checkpoint moved");
    const rows = b.changes.length;
    if (b.more) return { ...nothing(this.seq), staged: true, rows };
    for (const p of b.parts) this.scopes.set(p.scope, true);
    this.seq = b.to;
    this.head = Math.max(this.head, b.to);
    return { ...this.#settle(outcomes), rows };
  }

  settle(outcomes: Outcome[]): Work<Applied> {
    return step(() => this.#settle(outcomes));
  }

  #settle(outcomes: Outcome[]): Applied {
    for (const o of outcomes) {
      if (o.seq > this.seq) throw new Error("an outcome settled before its seq");
      if (this.waiting[0]?.n !== o.n) continue;
      this.waiting.shift();
      this.settledOnes.push(o);
    }
    this.take();
    return { ...nothing(this.seq), settled: outcomes, repair: this.repair };
  }

  confirmedRanges(table: number, after: Row | null, upto: Row | null, bounds: readonly Row[]): Work<RangeSum[]> {
    this.take();
    return step(() => sumRanges(this.rows(table), after, upto, bounds));
  }

  splitKeys(table: number, after: Row | null, upto: Row | null, parts: number): Work<Row[]> {
    const keys = keysIn(this.rows(table), after, upto);
    const part = Math.ceil(keys.length / parts);
    const bounds: Row[] = [];
    for (let i = part; i > 0 && i < keys.length; i += part) bounds.push([BigInt(keys[i - 1]!)]);
    return step(() => bounds);
  }

  repairAll(list: readonly RangeRows[]): Work<number> {
    return step(() => this.#repairAll(list));
  }

  #repairAll(list: readonly RangeRows[]): number {
    let n = 0;
    for (const p of list) n += putRange(this.rows(p.table), p);
    this.repaired += n;
    this.take();
    return n;
  }

  private rows(table: number): Rows {
    return this.mine.get(table) ?? new Map();
  }
}

export function pushOf(n: number, body: Uint8Array): Push {
  const empty = new Uint8Array(16);
  return { type: "push", n, salt: empty, was: null, seen: 0, schema: "", madeAt: 0, body, hash: empty };
}

const contains = (k: number, after: Row | null, upto: Row | null): boolean =>
  (!after || k > Number(after[0])) && (!upto || k <= Number(upto[0]));

/** Count and sum of each part that the bounds cut. */
export function sumRanges(rows: Rows, after: Row | null, upto: Row | null, bounds: readonly Row[]): RangeSum[] {
  return Array.from({ length: bounds.length + 1 }, (_, i) => {
    let count = 0;
    let sum = 0n;
    for (const [k, v] of rows) {
      if (!contains(k, bounds[i - 1] ?? after, bounds[i] ?? upto)) continue;
      count++;
      sum = BigInt.asUintN(64, sum + ((BigInt(k) * 0x9e3779b97f4a7c15n) ^ (BigInt(v) * 0xc2b2ae3d27d4eb4fn)));
    }
    return { count, sum };
  });
}

/** The keys of a range, in order. */
export function keysIn(rows: Rows, after: Row | null, upto: Row | null): number[] {
  return [...rows.keys()].filter((k) => contains(k, after, upto)).sort((a, b) => a - b);
}

function putRange(rows: Rows, p: RangeRows): number {
  const theirs = new Map(p.rows.map((r) => [Number(r[0]), Number(r[1])]));
  let differed = 0;
  for (const k of keysIn(rows, p.after, p.upto)) if (!theirs.has(k) && rows.delete(k)) differed++;
  for (const [k, v] of theirs) {
    if (rows.get(k) === v) continue;
    rows.set(k, v);
    differed++;
  }
  return differed;
}

/** Keeps the timer of a loop beside it, as a shell would. */
export class TestLoop {
  readonly copy = new FakeEngine();
  readonly loop: Loop;
  clock = 1;
  timer = 0;
  dials = 0;
  notes: Note[] = [];
  private up: Up[] = [];

  constructor(seed = 1, options: { readonly pushBytes?: number } = {}) {
    this.loop = new Loop(this.copy, { rand: seeded(seed), ...options });
  }

  /** Takes events; a fault of the file is the caller's to look at. */
  step(...events: Event[]): void {
    for (const event of events) {
      if (event.type === "tick") this.timer = 0;
      for (const e of atOnce(this.loop.step(this.clock, event))) this.perform(e);
    }
  }

  /** Takes events of which none may meet a fault. */
  must(...events: Event[]): void {
    for (const event of events) {
      this.step(event);
      if (this.loop.fault) throw this.loop.fault;
    }
  }

  private perform(e: Effect): void {
    if (e.type === "timer") this.timer = e.after;
    if (e.type === "dial") this.dials++;
    if (e.type === "send") this.up.push(...e.messages);
    if (e.type === "notify") this.notes.push(e.note);
  }

  /** What went up since the last call. */
  sent(): Up[] {
    const up = this.up;
    this.up = [];
    return up;
  }
}
