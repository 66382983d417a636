import type { Conflict, OutcomeInfo, RejectedChangeset } from "@tidemark/client";
import { useConflicts, useDatabase, useRejected } from "@tidemark/react";
import { useEffect, useState } from "react";
import { sayChanges, sayLog, sayValue } from "../describe.ts";
import type { Act } from "../ui/act.ts";
import { BackIcon, CheckIcon, ForkIcon, MergeIcon } from "../ui/icons.tsx";
import { SaidList } from "../ui/said-list.tsx";
import type { LogEntry } from "./log-feed.ts";
import { authorOf, type Names } from "./names.ts";

interface Props {
  readonly act: Act["act"];
  readonly names: Names;
}

const OPEN = { states: ["open"] } as const;
const KEPT = { states: ["kept"] } as const;

/** Open conflicts and rejected changesets: what a person has to look at. */
export function NeedsYou({ act, names }: Props) {
  const conflicts = useConflicts(OPEN);
  const rejected = useRejected();
  if (conflicts.length + rejected.length === 0) return null;
  return (
    <div className="needs-you" role="status">
      {conflicts.map((c) => (
        <OpenConflict key={c.id} conflict={c} act={act} names={names} />
      ))}
      {rejected.map((r) => (
        <Rejected key={r.id} changeset={r} act={act} />
      ))}
    </div>
  );
}

function OpenConflict({ conflict, act, names }: Props & { readonly conflict: Conflict }) {
  const db = useDatabase();
  const theirs = authorOf(names, conflict.theirsBy)?.name ?? "Somebody";
  const mine = authorOf(names, conflict.mineBy)?.name ?? "somebody else";
  return (
    <div className="notice notice-conflict">
      <p className="notice-text">
        <ForkIcon size={16} />
        <span>
          <strong>Two answers.</strong> {theirs} says {sayValue(conflict.theirs)}, {mine} says {sayValue(conflict.mine)}
          . Which is it?
        </span>
      </p>
      <div className="notice-actions">
        <button type="button" className="button" onClick={() => act(() => db.resolve(conflict.id, "theirs"))}>
          Keep {sayValue(conflict.theirs)}
        </button>
        <button type="button" className="button" onClick={() => act(() => db.resolve(conflict.id, "mine"))}>
          Take {sayValue(conflict.mine)}
        </button>
      </div>
    </div>
  );
}

function Rejected({ changeset, act }: { readonly changeset: RejectedChangeset; readonly act: Act["act"] }) {
  const db = useDatabase();
  return (
    <div className="notice notice-rejected">
      <p className="notice-text">
        <BackIcon size={16} />
        <span>
          <strong>Rejected and rolled back:</strong> <SaidList said={sayChanges(changeset.changes)} />
          <span className="notice-why">
            <code>{changeset.code}</code> {changeset.message}
          </span>
        </span>
      </p>
      <div className="notice-actions">
        <button type="button" className="button" onClick={() => act(() => db.discard(changeset.id))}>
          Discard
        </button>
        <button type="button" className="button button-quiet" onClick={() => act(() => db.retry(changeset.id))}>
          Try again
        </button>
      </div>
    </div>
  );
}

/** How many outcomes are shown. */
const SHOWN = 5;

interface OutcomesProps extends Props {
  readonly log: readonly LogEntry[];
}

/** The server's words on this replica's changesets since the page was opened. */
export function Outcomes({ act, names, log }: OutcomesProps) {
  const outcomes = useOutcomes();
  const losers = useConflicts(KEPT);
  return (
    <div className="outcomes">
      <h3 className="part-title">What became of it</h3>
      {outcomes.length === 0 && <p className="part-empty">Outcomes show up here.</p>}
      <ol className="entries" aria-live="polite">
        {outcomes.map((o) => (
          <Outcome
            key={o.n}
            outcome={o}
            entry={o.kind === "rejected" ? undefined : log.find((e) => e.seq === o.seq)}
            losers={losers.filter((c) => c.seq === o.seq)}
            act={act}
            names={names}
          />
        ))}
      </ol>
    </div>
  );
}

function useOutcomes(): readonly OutcomeInfo[] {
  const db = useDatabase();
  const [list, setList] = useState<readonly OutcomeInfo[]>([]);
  useEffect(
    () =>
      db.onEvent((e) => {
        if (e.type === "outcome")
          setList((old) => [e.outcome, ...old.filter((o) => o.n !== e.outcome.n)].slice(0, SHOWN));
      }),
    [db],
  );
  return list;
}

const outcomeIcons = { accepted: CheckIcon, merged: MergeIcon, rejected: BackIcon };

interface OutcomeProps extends Props {
  readonly outcome: OutcomeInfo;
  /** What it became in the log. */
  readonly entry: LogEntry | undefined;
  /** What lost when this changeset met others. */
  readonly losers: readonly Conflict[];
}

function Outcome({ outcome, entry, losers, act, names }: OutcomeProps) {
  const Icon = outcomeIcons[outcome.kind];
  return (
    <li className={`entry entry-${outcome.kind}`}>
      <Icon size={15} />
      <span className="said">
        <strong>{outcome.kind}</strong>
        {outcome.kind === "rejected" ? <> · {outcome.code}</> : <span className="seq"> #{outcome.seq}</span>}
        {entry?.changes?.flatMap(sayLog).map((s) => (
          <span key={`${s.column} ${s.text}`} className="said-one">
            <span className="said-column">{s.column}</span> {s.text}
          </span>
        ))}
        {losers.map((c) => (
          <Loser key={c.id} conflict={c} act={act} names={names} />
        ))}
      </span>
    </li>
  );
}

function Loser({ conflict: c, act, names }: Props & { readonly conflict: Conflict }) {
  const db = useDatabase();
  const lost = c.winner === "mine" ? c.theirs : c.mine;
  const by = authorOf(names, c.winner === "mine" ? c.theirsBy : c.mineBy)?.name;
  return (
    <span className="said-one">
      <span className="said-column">{c.column || "row"}</span> {by ? `${by}'s ` : ""}
      {sayValue(lost)} is kept{" "}
      <button type="button" className="link" onClick={() => act(() => db.restoreLoser(c.id))}>
        Restore it
      </button>
    </span>
  );
}
