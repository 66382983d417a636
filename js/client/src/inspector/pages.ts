import type { ChangeView, Database, Status } from "../database.ts";
import type { ScopeInfo } from "../scope.ts";
import { button, empty, grid, h } from "./dom.ts";
import { ago, bytes, ms, shown, shownRow, shownSide } from "./format.ts";
import type { Model } from "./model.ts";

/** What a page needs: the database, what is known of it, and where failures are shown. */
export interface Page {
  readonly db: Database;
  readonly model: Model;
  readonly failed: (err: unknown) => void;
}

/** How the database is doing, in one word and in a sentence. */
export function health(s: Status): { tone: "good" | "warn" | "bad"; words: string } {
  if (s.phase === "failed" || s.phase === "outdated") return { tone: "bad", words: s.error?.message ?? s.phase };
  if (s.phase !== "ready") return { tone: "warn", words: s.waiting || s.phase };
  if (s.error && s.sync === "stopped") return { tone: "bad", words: s.error.message };
  const waiting = s.pending > 0 ? `, ${s.pending} pending` : "";
  if (!s.online || !s.connected) return { tone: "warn", words: `${s.online ? s.sync : "network off"}${waiting}` };
  if (s.rejected > 0) return { tone: "warn", words: `${s.rejected} rejected${waiting}` };
  return { tone: "good", words: `${s.sync}, seq ${s.seq}${waiting}` };
}

export function overview({ db, model, failed }: Page): Node[] {
  const s = model.status;
  const all: [string, Node | string][] = [
    ["Storage", storage(s)],
    ["Phase", s.waiting ? `${s.phase}: ${s.waiting}` : s.phase],
    ["Sync", `${s.sync}${s.connected ? ", connected" : ""}${s.online ? "" : ", network off"}`],
    [
      "Checkpoint",
      `seq ${s.seq}${s.head > s.seq ? ` of ${s.head}` : ""}${s.proven ? ", proven equal to the server" : ""}`,
    ],
    ["Pending", `${s.pending}${s.suspended ? `, ${s.suspended} of them laid aside` : ""}`],
    ["Rejected", `${s.rejected}`],
    ["Conflicts", `${s.conflicts} open`],
    ["Last contact", ago(s.contact, Date.now())],
    ["Tab", s.leader ? "leads: it runs the database for all tabs" : "follows another tab"],
    ["Replica", `${s.replica || "not named yet"}${s.readOnly ? ", read only" : ""}`],
    ["Space", `${s.space || "?"} ${s.server && `at ${s.server}`}`],
    ...facts(model),
    ...Object.entries(s.out).map(([table, why]): [string, string] => [`Not synced: ${table}`, why]),
  ];
  const act = (label: string, work: () => unknown): HTMLElement => button(label, label, work, failed);
  return [
    ...model.risks.map((r) => h("p", { class: "notice", role: "alert" }, `${r.kind}: ${r.message}`)),
    ...(s.error ? [h("p", { class: "notice" }, `${s.error.code}: ${s.error.message} ${s.error.hint}`)] : []),
    h("dl", {}, ...all.flatMap(([name, v]) => [h("dt", {}, name), h("dd", {}, v)])),
    h(
      "div",
      { class: "actions" },
      act("Sync now", () => db.sync()),
      act(s.online ? "Network off" : "Network on", () => db.setNetwork(!s.online)),
      act("Reconnect", () => db.reconnect()),
      act("Verify", () => db.verify()),
    ),
  ];
}

function facts({ facts: f }: Model): [string, string][] {
  if (!f) return [];
  return [
    ["Open in", `${f.tabs} ${f.tabs === 1 ? "tab" : "tabs"}`],
    ["File", bytes(f.bytes)],
    ["SQLite", f.sqlite],
  ];
}

function storage(s: Status): Node {
  if (!s.storage) return h("span", { class: "dim" }, "not chosen yet");
  const { level, reason, persisted } = s.storage;
  const words = {
    opfs: "origin private file system",
    indexeddb: "IndexedDB",
    memory: "memory: gone when the tab that leads closes",
  }[level];
  const tone = level === "opfs" ? "good" : level === "indexeddb" ? "warn" : "bad";
  const kept = level === "memory" ? "" : persisted ? ", kept by the browser" : ", may be evicted";
  return h("span", {}, h("span", { class: tone }, words), `${kept}${reason && ` (${reason})`}`);
}

function changes(list: readonly ChangeView[]): Node {
  const line = (c: ChangeView): string => {
    const edits = Object.entries(c.edit).map(([name, what]) => `${name}: ${what}`);
    const sets = [shownRow(c.set), ...edits].filter(Boolean).join(", ");
    return `${c.op} ${c.table} (${Object.values(c.key).map(shown).join(", ")})${sets && `: ${sets}`}`;
  };
  return h("ul", {}, ...list.map((c) => h("li", {}, h("code", {}, line(c)))));
}

export function pending({ model }: Page): Node[] {
  if (model.pending.length === 0) return [empty("Everything is answered.")];
  return model.pending.map((p) =>
    h(
      "article",
      { class: "card" },
      h(
        "h3",
        {},
        `Changeset ${p.n}`,
        h("span", { class: "dim" }, `${ago(p.madeAt, Date.now())}, made at seq ${p.seen}, ${bytes(p.bytes)}`),
        p.suspended && h("span", { class: "warn" }, `laid aside: ${p.cause}`),
      ),
      changes(p.changes),
    ),
  );
}

export function outcomes({ db, model, failed }: Page): Node[] {
  const kept = model.rejected.map((r) => {
    const act = (label: string, work: () => unknown): HTMLElement => button(label, `${label} ${r.id}`, work, failed);
    return h(
      "article",
      { class: "card" },
      h(
        "h3",
        {},
        `Rejected: changeset ${r.n}`,
        h("span", { class: "bad" }, r.code),
        h("span", { class: "dim" }, ago(r.at, Date.now())),
      ),
      h("div", {}, r.message),
      changes(r.changes),
      h(
        "div",
        { class: "actions" },
        act("Retry", () => db.retry(r.id)),
        act("Retry in parts", () => db.retry(r.id, true)),
        act("Copy as JSON", async () => navigator.clipboard.writeText(await db.export(r.id))),
        act("Discard", () => db.discard(r.id)),
      ),
    );
  });
  const tone = { accepted: "good", merged: "warn", rejected: "bad" } as const;
  const rows = model.outcomes.map(({ at, outcome: o }) => [
    o.n,
    h("span", { class: tone[o.kind] }, o.kind),
    o.seq,
    `${o.code && `${o.code}: `}${o.message}${o.table && ` ${o.table} (${o.key.map(shown).join(", ")}) ${o.columns.join(", ")}`}`,
    ago(at, Date.now()),
  ]);
  if (kept.length + rows.length === 0) return [empty("No outcome since the inspector was opened.")];
  return [...kept, ...(rows.length > 0 ? [grid("Outcomes", ["Changeset", "Outcome", "Seq", "", "When"], rows)] : [])];
}

export function conflicts({ db, model, failed }: Page): Node[] {
  if (model.conflicts.length === 0) return [empty("No conflict is open, and no value was lost.")];
  return model.conflicts.map((c) => {
    const act = (label: string, work: () => unknown): HTMLElement => button(label, `${label} ${c.id}`, work, failed);
    const cell = `${c.table} (${c.key.map(shown).join(", ")})${c.column && ` ${c.column}`}`;
    return h(
      "article",
      { class: "card" },
      h(
        "h3",
        {},
        cell,
        h("span", { class: c.state === "open" ? "warn" : "dim" }, c.state),
        h("span", { class: "dim" }, `${c.policy}, seq ${c.seq}, ${ago(c.at, Date.now())}`),
      ),
      h(
        "dl",
        {},
        ...(["base", "theirs", "mine"] as const).flatMap((side) => [
          h("dt", {}, c.winner === side ? `${side} (stands)` : side),
          h("dd", {}, h("code", {}, shownSide(c[side]))),
        ]),
      ),
      h(
        "div",
        { class: "actions" },
        ...(c.state === "open"
          ? [act("Take theirs", () => db.resolve(c.id, "theirs")), act("Take mine", () => db.resolve(c.id, "mine"))]
          : [act("Restore what lost", () => db.restoreLoser(c.id))]),
      ),
    );
  });
}

export function scopes({ db, model, failed }: Page): Node[] {
  if (model.scopes.length === 0) return [empty("This space declares no scopes: the whole of it is here.")];
  const rows = model.scopes.map((s) => [
    s.scope,
    standing(s),
    s.rows,
    s.priority,
    s.wanted ? button("Unsubscribe", `Unsubscribe ${s.scope}`, () => db.unsubscribe(s.scope), failed) : "",
  ]);
  return [grid("Scopes", ["Scope", "", "Rows", "Priority", ""], rows)];
}

function standing(s: ScopeInfo): Node {
  if (s.ready) return h("span", { class: "good" }, "ready");
  if (s.granted) return h("span", { class: "warn" }, `comes in, ${s.incoming} rows so far`);
  return h("span", { class: "bad" }, "not granted");
}

export function queries({ model }: Page): Node[] {
  if (model.watches.length === 0) return [empty("No live query runs.")];
  const total = model.watches.reduce((sum, w) => sum + w.ms, 0);
  const rows = [...model.watches]
    .sort((a, b) => b.ms - a.ms)
    .map((w) => [
      h("code", {}, w.sql),
      w.tables.join(", "),
      w.rows,
      w.tabs,
      w.runs,
      ms(w.ms / Math.max(1, w.runs)),
      ms(w.ms),
    ]);
  return [
    h("p", { class: "dim" }, `${rows.length} live queries of all tabs, ${ms(total)} together.`),
    grid("Live queries", ["Query", "Reads", "Rows", "Tabs", "Runs", "Each", "Together"], rows),
  ];
}
