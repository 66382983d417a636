import type {
  Conflict,
  Database,
  Inspection,
  OutcomeInfo,
  PendingChangeset,
  RejectedChangeset,
  Risk,
} from "../database.ts";
import type { ScopeInfo } from "../scope.ts";
import type { WatchCost } from "../watch/watches.ts";
import type { Findings } from "./report.ts";

/** How many outcomes are remembered. */
const maxOutcomes = 200;

/** What the inspector knows of a database, followed while it is mounted. */
export interface Model extends Omit<Findings, "at" | "environment"> {
  pending: readonly PendingChangeset[];
  rejected: readonly RejectedChangeset[];
  conflicts: readonly Conflict[];
  /** The newest first. */
  outcomes: readonly { readonly at: number; readonly outcome: OutcomeInfo }[];
  risks: readonly Risk[];
  watches: readonly WatchCost[];
  scopes: readonly ScopeInfo[];
  /** null until the database has told. */
  facts: Omit<Inspection, "watches"> | null;
  /** Asks again for what is only told when asked. */
  load(): Promise<void>;
  stop(): void;
}

/** Follows a database; `changed` is called when something did. It asks for nothing while nobody looks. */
export function follow(db: Database, changed: () => void, looking: () => boolean): Model {
  let loading: Promise<void> | null = null;
  let over = false;
  const read = async (): Promise<void> => {
    const [pending, rejected, conflicts, scopes, more] = await Promise.all([
      db.pending(),
      db.rejected(),
      db.conflicts(),
      db.status.scopes.length > 0 ? db.scopes() : [],
      db.inspect(),
    ]);
    const { watches, ...facts } = more;
    Object.assign(model, { pending, rejected, conflicts, scopes, watches, facts });
  };
  const model: Model = {
    get status() {
      return db.status;
    },
    pending: [],
    rejected: [],
    conflicts: [],
    outcomes: [],
    risks: [],
    watches: [],
    scopes: [],
    facts: null,
    load: () => {
      // While the database comes up there is nothing to read; the status tells when it is there.
      loading ??= read()
        .catch(() => {})
        .finally(() => {
          loading = null;
          if (!over) changed();
        });
      return loading;
    },
    stop: () => {
      over = true;
      for (const stop of stops) stop();
    },
  };
  const news = (): void => {
    changed();
    if (looking()) void model.load();
  };
  const stops = [
    db.onStatus(news),
    db.onEvent((e) => {
      if (e.type === "outcome") {
        model.outcomes = [{ at: Date.now(), outcome: e.outcome }, ...model.outcomes].slice(0, maxOutcomes);
      } else if (e.type === "risk") model.risks = [...model.risks, e.risk];
      news();
    }),
  ];
  news();
  return model;
}
