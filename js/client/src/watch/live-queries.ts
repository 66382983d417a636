import type { Diff, Row } from "../database.ts";
import { type Cells, difference, type Part } from "./difference.ts";
import { nameOf, type Patch, type Spec } from "./watches.ts";

/** Called with the result and with what became of it. */
export type OnRows = (rows: readonly Row[], diff: Diff) => void;

/** How a tab reaches the worker. */
export interface Door {
  /** `Watches.add`; resolves before the patches that build on its answer are received. */
  watch(spec: Spec): Promise<Patch>;
  /** `Watches.remove`. */
  unwatch(id: number): void;
}

interface Listener {
  readonly rows: OnRows;
  readonly error: (err: unknown) => void;
  told: boolean;
}

interface LiveQuery {
  readonly name: string;
  readonly spec: Spec;
  readonly listeners: Set<Listener>;
  /** Of the worker; 0 while it has not answered. */
  id: number;
  version: number;
  columns: readonly string[];
  rows: readonly Row[];
  error: unknown;
  /** The question whose answer counts. */
  asked: number;
}

const none: Diff = { added: [], changed: [], removed: [], left: [], moved: false };

/** A row as an object; a column named twice shows its last value. */
export function rowOf(columns: readonly string[], cells: Cells): Row {
  if (columns.includes("__proto__")) return Object.freeze(Object.fromEntries(columns.map((c, i) => [c, cells[i]!])));
  const row: Row = {};
  for (let i = 0; i < columns.length; i++) row[columns[i]!] = cells[i]!;
  return Object.freeze(row);
}

/** Puts a result together; rows that did not change are the same objects as before. */
function compose(
  old: readonly Row[],
  parts: readonly Part[],
  gone: readonly number[],
  columns: readonly string[],
): [readonly Row[], Diff] {
  const rows: Row[] = [];
  const added: Row[] = [];
  const changed: { before: Row; after: Row }[] = [];
  const stays = new Uint8Array(old.length);
  let moved = false;
  let last = -1;
  const stay = (from: number, end: number): void => {
    stays.fill(1, from, end);
    moved ||= from < last;
    last = end;
  };
  for (const [at, what] of parts) {
    if (typeof what === "number") {
      stay(at, at + what);
      for (let i = at; i < at + what; i++) rows.push(old[i]!);
      continue;
    }
    const after = rowOf(columns, what);
    rows.push(after);
    if (at < 0) added.push(after);
    else {
      stay(at, at + 1);
      changed.push({ before: old[at]!, after });
    }
  }
  const removed = rows.length - added.length < old.length ? old.filter((_, i) => !stays[i]) : [];
  return [Object.freeze(rows), { added, changed, removed, left: gone.map((i) => old[i]!), moved }];
}

/** The live queries of one tab: shares each among its listeners and keeps their rows. */
export class LiveQueries {
  readonly #door: Door;
  readonly #queries = new Map<string, LiveQuery>();
  readonly #byId = new Map<number, LiveQuery>();
  #asked = 0;
  /** Questions without an answer, and news that may build on one: answers and news come over different channels. */
  #waiting = 0;
  #early: Patch[] = [];

  constructor(door: Door) {
    this.#door = door;
  }

  /**
   * Calls `rows` with the result soon, and whenever it changed. Returns what
   * ends it: no call begins after that.
   */
  watch(spec: Spec, rows: OnRows, error: (err: unknown) => void): () => void {
    const name = nameOf(spec);
    const l: Listener = { rows, error, told: false };
    let q = this.#queries.get(name);
    if (q) {
      q.listeners.add(l);
      const known = q;
      if (q.id > 0) queueMicrotask(() => this.#call(known, l, none));
    } else {
      q = { name, spec, listeners: new Set([l]), id: 0, version: 0, columns: [], rows: [], error: undefined, asked: 0 };
      this.#queries.set(name, q);
      this.#ask(q);
    }
    return () => this.#stop(q, l);
  }

  /** What the worker sends, in order. Everything is put together before anybody is called. */
  receive(patches: readonly Patch[]): void {
    const news: [LiveQuery, Diff][] = [];
    for (const p of patches) {
      const q = this.#byId.get(p.id);
      if (!q && this.#waiting > 0) this.#early.push(p);
      if (!q || p.version <= q.version) continue;
      const d = this.#apply(q, p);
      if (d) news.push([q, d]);
    }
    for (const [q, d] of news) this.#tell(q, d);
  }

  /** Another worker took over: every query is asked for again, and what listeners have stands until then. */
  reconnect(): void {
    this.#byId.clear();
    this.#early = [];
    for (const q of this.#queries.values()) this.#ask(q);
  }

  /** Nobody is called any more. */
  close(): void {
    for (const q of this.#queries.values()) q.listeners.clear();
    this.#queries.clear();
    this.#byId.clear();
  }

  #ask(q: LiveQuery): void {
    const asked = ++this.#asked;
    q.asked = asked;
    this.#byId.delete(q.id);
    q.id = 0;
    this.#waiting++;
    this.#door.watch(q.spec).then(
      (p) => {
        this.#waiting--;
        this.#answered(q, asked, p);
      },
      (err) => {
        this.#waiting--;
        if (q.asked !== asked) return;
        q.error = err;
        this.#tell(q, none);
      },
    );
  }

  #answered(q: LiveQuery, asked: number, p: Patch): void {
    if (q.asked !== asked) return;
    if (q.listeners.size === 0) {
      // For the worker somebody who watches it again meanwhile is the same.
      if (!this.#queries.has(q.name)) this.#door.unwatch(p.id);
      return;
    }
    q.id = p.id;
    this.#byId.set(p.id, q);
    const d = this.#apply(q, p);
    this.#tell(q, d ?? none);
    this.receive(this.#early.splice(0));
  }

  /** Takes a patch; null when the result is the same and nobody need be called. */
  #apply(q: LiveQuery, p: Patch): Diff | null {
    if (!p.whole && p.version !== q.version + 1) {
      this.#ask(q);
      return null;
    }
    const failed = q.error;
    q.version = p.version;
    q.error = p.error;
    const parts = p.whole ? this.#partsOf(q, p.whole) : p.error === undefined ? (p.parts ?? null) : null;
    if (parts === null) return p.error === failed ? null : none;
    const [rows, d] = compose(q.rows, parts, p.left ?? [], q.columns);
    q.rows = rows;
    return d;
  }

  /** How a whole result comes out of the rows that are here; null when it is the same. */
  #partsOf(q: LiveQuery, whole: NonNullable<Patch["whole"]>): Part[] | null {
    const alike = q.columns.join("\0") === whole.columns.join("\0");
    q.columns = whole.columns;
    const old = alike ? q.rows.map((r) => q.columns.map((c) => r[c]!)) : [];
    return difference(old, [...whole.rows], whole.key);
  }

  #tell(q: LiveQuery, d: Diff): void {
    for (const l of [...q.listeners]) this.#call(q, l, d);
  }

  #call(q: LiveQuery, l: Listener, d: Diff): void {
    const failed = q.error !== undefined;
    try {
      if (q.listeners.has(l) && (l.told ? d !== none : !failed)) {
        const first = !l.told;
        l.told = true;
        l.rows(q.rows, first ? { ...none, added: q.rows } : d);
      }
      if (q.listeners.has(l) && failed) l.error(q.error);
    } catch (err) {
      queueMicrotask(() => {
        throw err;
      });
    }
  }

  #stop(q: LiveQuery, l: Listener): void {
    q.listeners.delete(l);
    if (q.listeners.size > 0 || this.#queries.get(q.name) !== q) return;
    this.#queries.delete(q.name);
    if (q.id > 0) this.#door.unwatch(q.id);
    this.#byId.delete(q.id);
  }
}
