import { codeOf } from "../../src/error.ts";
import { Database } from "../../src/lite/database.ts";
import { violation } from "../../src/lite/failure.ts";
import type { Sqlite } from "../../src/lite/load.ts";
import { atOnce } from "../../src/lite/work.ts";
import { Moved } from "../../src/replica/connection.ts";
import { type Effect, type Event, Loop } from "../../src/replica/loop.ts";
import { Replica } from "../../src/replica/replica.ts";
import type { Wants } from "../../src/replica/scopes.ts";
import { begin, commit, rollback } from "../../src/replica/write.ts";
import { bytesOf, unhex, type Value } from "../../src/value.ts";
import { type Down, decodeDown, isAside } from "../../src/wire/down.ts";
import type { Want } from "../../src/wire/scope.ts";
import { Shorthand } from "../../src/wire/shorthand.ts";
import { encodeUp } from "../../src/wire/up.ts";
import { deserialize } from "../lite/image.ts";
import { describe } from "./describe.ts";
import { dump } from "./dump.ts";
import { report } from "./report.ts";
import type { Dispose, Request, Stmt } from "./requests.ts";
import { unspell } from "./spelled.ts";
import { stream } from "./stream.ts";

/** The time of the world whose request is being answered. */
export const clock = { now: 0 };

type Create = Extract<Request, { do: "create" }>;
type Adopt = Extract<Request, { do: "adopt" }>;

/** What a loop wants done, as the harness reads it. */
interface Wanted {
  readonly do: string;
  readonly after?: number;
  readonly texts?: readonly string[];
  readonly note?: string;
}

/** A replica with its app, on one connection to a database in memory. */
export class TwinDevice {
  readonly #sqlite: Sqlite;
  readonly #settings: Create | Adopt;
  #lives = 0;
  #db: Database;
  #r!: Replica; // by open
  #loop!: Loop; // by open
  #short: Shorthand | null = null;

  private constructor(sqlite: Sqlite, settings: Create | Adopt, image: Uint8Array) {
    this.#sqlite = sqlite;
    this.#settings = settings;
    this.#db = this.#connect(image);
  }

  static create(sqlite: Sqlite, o: Create): TwinDevice {
    const d = new TwinDevice(sqlite, o, bytesOfBase64(o.snapshot));
    const { head, sum, digestKey, ...names } = o.state;
    Replica.create(d.#db, {
      server: "twin",
      readOnly: o.readOnly,
      state: { ...names, head, sum: BigInt(sum), digestKey: unhex(digestKey) ?? new Uint8Array() },
      schema: o.schema,
      only: o.only,
      want: o.want,
    });
    d.#open();
    return d;
  }

  static adopt(sqlite: Sqlite, o: Adopt): TwinDevice {
    const d = new TwinDevice(sqlite, o, bytesOfBase64(o.image));
    d.#open();
    return d;
  }

  #connect(image: Uint8Array): Database {
    const db = Database.open(this.#sqlite, ":memory:");
    deserialize(db, image);
    return db;
  }

  #open(): void {
    this.#lives++;
    const { world, device, loop } = this.#settings;
    const part = `${world}/device ${device} life ${this.#lives}`;
    this.#r = Replica.open(this.#db, { rand: stream(part), agent: "twin", merge: { longer } });
    this.#loop = new Loop(this.#r, { rand: stream(`${part} loop`), ...loop });
  }

  image(): string {
    return Buffer.from(this.#db.serialize()).toString("base64");
  }

  /** Loses everything but what was committed. */
  reopen(): void {
    const image = this.#db.serialize();
    this.#db.close();
    this.#db = this.#connect(image);
    this.#open();
  }

  close(): void {
    this.#db.close();
  }

  dump(): Record<string, string[]> {
    return dump(this.#r);
  }

  report(): string[] {
    return report(this.#r);
  }

  write(now: number, stmts: readonly Stmt[], own: boolean, loose: boolean): string {
    clock.now = now;
    if (loose) this.#enforce(false);
    try {
      if (!own) return this.#foreign(stmts);
      begin(this.#r);
      return this.#transact(stmts, () => commit(this.#r, now));
    } finally {
      if (loose) this.#enforce(true);
    }
  }

  /** Runs statements that capture does not see. */
  tamper(now: number, stmts: readonly Stmt[]): string {
    clock.now = now;
    this.#db.setTriggers(false);
    try {
      return this.#foreign(stmts);
    } finally {
      this.#db.setTriggers(true);
    }
  }

  /** Writes as a program does that knows nothing of us. */
  #foreign(stmts: readonly Stmt[]): string {
    this.#db.run("BEGIN IMMEDIATE");
    return this.#transact(stmts, () => this.#db.run("COMMIT"));
  }

  #transact(stmts: readonly Stmt[], end: () => void): string {
    for (const [i, s] of stmts.entries()) {
      try {
        this.#db.run(s.sql, ...(s.args ?? []).map(unspell));
      } catch (err) {
        rollback(this.#r);
        return `refused at ${i}: ${violation(err)?.code ?? "other"}`;
      }
    }
    try {
      end();
    } catch (err) {
      rollback(this.#r);
      const code = violation(err instanceof Error && err.cause ? err.cause : err)?.code ?? codeOf(err);
      if (!code) throw err;
      return `refused: ${code}`;
    }
    return "committed";
  }

  #enforce(on: boolean): void {
    this.#db.script(`PRAGMA ignore_check_constraints = ${!on}; PRAGMA foreign_keys = ${on}`);
  }

  /** Lets the app change the structure of its copy. */
  redefine(now: number, sql: string): string {
    clock.now = now;
    try {
      this.#db.script(sql);
      return "done";
    } catch {
      return "refused";
    }
  }

  dispose(o: Dispose): string {
    clock.now = o.now;
    try {
      if (o.do === "replace") return `${this.#replace(o)} parts`;
      if (o.do === "retry") return `${this.#r.retry(o.id, o.apart, o.now)} parts`;
      this.#r.discard(o.id);
      return "0 parts";
    } catch (err) {
      const code = codeOf(err);
      if (!code || code === "internal") throw err;
      return code;
    }
  }

  subscribe(now: number, only: boolean, want: readonly Want[]): string {
    clock.now = now;
    try {
      this.#r.subscribe(only, want);
      return "0 parts";
    } catch (err) {
      const code = codeOf(err);
      if (!code || code === "internal") throw err;
      return code;
    }
  }

  wants(): Wants {
    return this.#r.wants();
  }

  #replace(o: Dispose): number {
    const { sql: table = "", args = [] } = o.stmts?.[0] ?? {};
    const [column, value = null, ...key] = args.map(unspell);
    return this.#r.replaceAndRetry(o.id, [{ table, column: String(column), value, key }], o.now);
  }

  step(now: number, event: { type: string; text?: string }): { state: string; fault: string; effects: Wanted[] } {
    clock.now = now;
    const loop = this.#loop;
    const effects = atOnce(loop.step(now, this.#event(event))).map((e) => this.#wanted(e));
    let fault = "";
    if (loop.fault) {
      fault = loop.fault instanceof Moved ? "moved" : codeOf(loop.fault);
      if (!fault || fault === "internal") throw loop.fault;
    }
    return { state: loop.state, fault, effects };
  }

  #event({ type, text }: { type: string; text?: string }): Event {
    if (type === "connected") this.#short = this.#settings.brief ? new Shorthand() : null;
    if (type !== "received") return { type } as Event; // the harness knows the names
    let message: Down | null = null;
    try {
      message = decodeDown(text ?? "");
    } catch (err) {
      if (codeOf(err) !== "protocol") throw err;
    }
    const full = message && this.#short ? this.#short.down(message) : message;
    return { type, message: isAside(full) ? null : full };
  }

  #wanted(e: Effect): Wanted {
    if (e.type === "timer") return { do: "timer", after: Math.trunc(e.after) };
    if (e.type === "notify") return { do: "note", note: describe(e.note) };
    if (e.type !== "send") return { do: e.type };
    return { do: "send", texts: e.messages.map((m) => encodeUp(this.#short ? this.#short.up(m) : m)) };
  }
}

/** The harness's merge function of columns whose policy is custom: the longer text wins, unless it fails. */
function longer(_base: Value, theirs: Value, mine: Value): Value {
  if (typeof mine === "string" && mine.includes("gamma")) throw new Error("no gamma");
  const of = (v: Value): Uint8Array =>
    v === null || typeof v === "bigint" || typeof v === "number" ? new Uint8Array() : bytesOf(v);
  const [a, b] = [of(mine), of(theirs)];
  if (a.length !== b.length) return a.length > b.length ? mine : theirs;
  return Buffer.compare(a, b) > 0 ? mine : theirs;
}

function bytesOfBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}
