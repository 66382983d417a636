import { countOpen } from "../conflict/conflict.ts";
import type { Phase, Progress, Status } from "../database.ts";
import { unknown } from "../status.ts";
import type { Shared } from "../tabs/messages.ts";
import type { Copy } from "./copy.ts";
import type { Host } from "./host.ts";
import { Teller } from "./turns.ts";
import { errorInfo } from "./views.ts";

/** Status is told at most this often, milliseconds. */
const FRAME = 16;

/** The part of a status that somebody notes as it comes. */
interface Noted {
  readonly phase: Phase;
  readonly waiting: string;
  readonly progress: Progress | null;
  readonly error: unknown;
}

/** The part that is counted in the database. */
type Counts = Omit<Shared, keyof Noted | "scopes" | "storage" | "online" | "sync" | "connected" | "server">;

/** What is read from the database. */
interface Facts {
  readonly filling: boolean;
  readonly counts: Counts;
  readonly scopes: NonNullable<Shared["scopes"]>;
}

/** How things are with a host, and when its tabs are told. */
export class HostStatus {
  readonly #host: Host;
  readonly #storage: () => Status["storage"];
  readonly #teller: Teller;
  #noted: Noted = { phase: "opening", waiting: "the storage is being opened", progress: null, error: null };
  /** What the database said of itself when it could be asked last. */
  #facts: Facts | null = null;
  #filled = false;

  constructor(host: Host, storage: () => Status["storage"]) {
    this.#host = host;
    this.#storage = storage;
    this.#teller = new Teller(FRAME, () => {
      if (!host.ended) host.links.status(this.now());
    });
  }

  /** Something of it is another from here on. */
  note(part: Partial<Noted>): void {
    this.#noted = { ...this.#noted, ...part };
    this.publish();
  }

  /** The tabs are told how things are, with what else changes at the time. */
  publish(): void {
    this.#teller.soon();
  }

  /** They are told now what they have not been told. */
  publishNow(): void {
    this.#teller.now();
  }

  /** Whether rows are to be seen: where scopes are declared the first copy is empty until the first of them are whole. */
  get filled(): boolean {
    const { copy } = this.#host;
    if (this.#filled || copy === null) return this.#filled;
    const { scoped, unasked } = copy.replica.status();
    const list = this.#host.scopes.list(copy.replica);
    this.#filled = !scoped || list.some((s) => s.ready) || (!unasked && !list.some((s) => s.granted));
    return this.#filled;
  }

  now(): Shared {
    const { shell, boot, slices, scopes, online, address } = this.#host;
    const noted = this.#noted;
    if (!slices.busy || this.#facts === null) this.#facts = this.#ask();
    const { filling, counts, scopes: list } = this.#facts;
    return {
      ...counts,
      phase: filling ? "snapshot" : noted.phase,
      waiting: noted.waiting,
      storage: this.#storage(),
      progress: filling ? { stage: "scopes", bytes: 0, total: 0, rows: scopes.incoming } : noted.progress,
      scopes: list,
      online,
      sync: shell?.state ?? "offline",
      connected: shell?.live ?? false,
      error: noted.error === null ? null : errorInfo(noted.error),
      server: address?.base ?? boot.server,
    };
  }

  #ask(): Facts {
    const { ended, scopes } = this.#host;
    const copy = ended ? null : this.#host.copy;
    return {
      filling: this.#noted.phase === "ready" && !ended && !this.filled,
      counts: countsOf(copy),
      scopes: copy ? scopes.list(copy.replica) : [],
    };
  }
}

/** What a copy says of itself; without one nothing is known. */
function countsOf(copy: Copy | null): Counts {
  if (copy === null) return unknown;
  const s = copy.replica.status();
  return {
    seq: s.seq,
    head: s.head,
    pending: s.pending + (copy.unsealed ? 1 : 0),
    suspended: s.suspended,
    rejected: s.rejected,
    conflicts: countOpen(copy.db),
    proven: s.proven,
    contact: s.contact,
    readOnly: s.readOnly,
    replica: s.replica,
    space: s.space,
    out: Object.fromEntries(s.out),
  };
}
