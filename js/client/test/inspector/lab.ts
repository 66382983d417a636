import type { Database, DatabaseEvent, Row, Status } from "../../src/database.ts";

/** What a status says when all is well. */
export const CALM: Status = {
  phase: "ready",
  waiting: "",
  storage: { level: "opfs", reason: "", persisted: true },
  leader: true,
  progress: null,
  online: true,
  sync: "idle",
  connected: true,
  error: null,
  seq: 41,
  head: 41,
  pending: 0,
  suspended: 0,
  rejected: 0,
  conflicts: 0,
  proven: true,
  contact: 1_700_000_000_000,
  readOnly: false,
  replica: "r7f3",
  space: "tracker",
  server: "http://127.0.0.1:7420",
  out: {},
  scopes: [],
};

/** A database that says what a test lets it say, and remembers what it was asked to do. */
export class Lab {
  readonly did: string[] = [];
  status: Status = CALM;
  rows: Row[] = [];
  readonly db: Database;
  readonly #heard = new Set<(s: Status) => void>();
  readonly #events = new Set<(e: DatabaseEvent) => void>();

  constructor() {
    const lab = this;
    const did =
      (name: string) =>
      async (...args: unknown[]): Promise<never> => {
        lab.did.push([name, ...args].join(" "));
        return undefined as never;
      };
    const part: Partial<Database> = {
      name: "tracker",
      get status() {
        return lab.status;
      },
      onStatus: (fn) => {
        lab.#heard.add(fn);
        return () => void lab.#heard.delete(fn);
      },
      onEvent: (fn) => {
        lab.#events.add(fn);
        return () => void lab.#events.delete(fn);
      },
      pending: async () =>
        lab.status.pending === 0
          ? []
          : [
              {
                n: 12,
                madeAt: 1_700_000_000_000,
                seen: 40,
                suspended: true,
                cause: "its value 'ada@example.com' is taken",
                bytes: 120,
                changes: [
                  {
                    table: "task",
                    op: "update",
                    key: { id: "secret-key" },
                    set: { title: "secret title", done: 1 },
                    edit: { votes: "adds 17" },
                  },
                ],
              },
            ],
      rejected: async () =>
        lab.status.rejected === 0
          ? []
          : [
              {
                id: 3,
                n: 9,
                code: "check",
                message: 'title "secret title" is too long by 17',
                table: "task",
                key: ["secret-key"],
                columns: ["title"],
                seq: 40,
                madeAt: 1_700_000_000_000,
                at: 1_700_000_000_000,
                changes: [
                  { table: "task", op: "insert", key: { id: "secret-key" }, set: { title: "secret title" }, edit: {} },
                ],
              },
            ],
      conflicts: async () =>
        lab.status.conflicts === 0
          ? []
          : [
              {
                id: "c1",
                state: "open",
                table: "task",
                key: ["secret-key"],
                column: "due",
                unit: "due",
                policy: "manual",
                winner: "theirs",
                base: "2026-01-01",
                theirs: "2026-02-02",
                mine: "2026-03-03",
                theirsBy: "secret-ada",
                mineBy: "secret-bob",
                author: "secret-bob",
                madeAt: 1_700_000_000_000,
                at: 1_700_000_000_000,
                seq: 40,
              },
            ],
      inspect: async () => ({
        watches: [
          {
            id: 1,
            sql: "SELECT * FROM task WHERE title = 'secret title' AND n > 17",
            tables: ["task"],
            tabs: 2,
            rows: 40,
            runs: 7,
            ms: 12.5,
          },
          { id: 2, sql: "SELECT count(*) FROM task", tables: ["task"], tabs: 1, rows: 1, runs: 70, ms: 3 },
        ],
        tabs: 2,
        sqlite: "3.54.1",
        bytes: 123_456,
      }),
      query: (async (sql: string) => {
        lab.did.push(`query ${sql}`);
        if (sql.includes("nowhere")) throw new Error("no such table: nowhere");
        return lab.rows;
      }) as unknown as Database["query"],
      exec: (async (sql: string) => {
        lab.did.push(`exec ${sql}`);
        return { changes: 2, lastId: 0, rows: [] };
      }) as unknown as Database["exec"],
      sync: did("sync"),
      setNetwork: did("setNetwork"),
      verify: did("verify"),
      retry: did("retry"),
      discard: did("discard"),
      resolve: did("resolve"),
      unsubscribe: did("unsubscribe"),
      scopes: async () => lab.status.scopes.map((s, i) => ({ ...s, rows: 10 * i })),
    };
    this.db = part as Database;
  }

  tell(change: Partial<Status>): void {
    this.status = { ...this.status, ...change };
    for (const fn of this.#heard) fn(this.status);
  }

  event(e: DatabaseEvent): void {
    for (const fn of this.#events) fn(e);
  }

  /** How many listen. */
  get listeners(): number {
    return this.#heard.size + this.#events.size;
  }
}
