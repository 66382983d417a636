import type { Database } from "@tidemark/client";
import { useStatus } from "@tidemark/react";
import { useEffect, useRef } from "react";
import { useAct } from "../ui/act.ts";
import { Avatar, hueStyle } from "../ui/avatar.tsx";
import { CrossIcon } from "../ui/icons.tsx";
import { shake } from "../ui/motion.ts";
import { Problem } from "../ui/problem.tsx";
import { kept, standing } from "../ui/status-text.ts";
import { StoppedNotice } from "../ui/stopped-notice.tsx";
import { StorageNotice } from "../ui/storage-notice.tsx";
import { Switch } from "../ui/switch.tsx";
import type { LogEntry } from "./log-feed.ts";
import type { Names } from "./names.ts";
import { NeedsYou, Outcomes } from "./outcomes.tsx";
import type { Person } from "./people.ts";
import { PlanCard } from "./plan-card.tsx";
import { Queue } from "./queue.tsx";
import { SlotList } from "./slot-list.tsx";

interface Props {
  readonly person: Person;
  readonly db: Database;
  readonly names: Names;
  readonly log: readonly LogEntry[];
  readonly onLeave?: (() => void) | undefined;
}

/** One device: its rows, its switch, what waits and what became of it. */
export function ReplicaPanel({ person, db, names, log, onLeave }: Props) {
  const status = useStatus();
  const panel = useRef<HTMLElement>(null);
  const { act, problem, dismiss } = useAct();
  useRollbacks(db, panel);
  const { tone, text } = standing(status);
  return (
    <section
      ref={panel}
      className="panel replica"
      style={hueStyle(person.hue)}
      data-person={person.id}
      data-online={status.online}
      data-tone={tone}
      aria-label={`${person.name}'s replica`}
    >
      <header className="panel-head">
        <Avatar name={person.name} hue={person.hue} size="large" />
        <div className="panel-name">
          <h2>{person.name}</h2>
          <p className="panel-status" aria-live="polite">
            <span className={`dot dot-${tone}`} aria-hidden="true" /> {text}
          </p>
        </div>
        <Switch
          on={status.online}
          onChange={(on) => act(() => db.setNetwork(on))}
          label={`${person.name}'s network`}
          disabled={status.phase === "failed"}
        />
        {onLeave && (
          <button type="button" className="icon-button" onClick={onLeave} aria-label={`Put ${person.name} away`}>
            <CrossIcon size={16} />
          </button>
        )}
      </header>
      <Problem text={problem} onClose={dismiss} />
      <StorageNotice />
      <StoppedNotice act={act} />
      <PlanCard person={person} act={act} />
      <SlotList person={person} act={act} />
      <NeedsYou act={act} names={names} />
      <Queue person={person} />
      <Outcomes act={act} names={names} log={log} />
      <p className="panel-foot">An SQLite database of its own, in {kept(status) || "…"}.</p>
    </section>
  );
}

/** Shakes what a rejected changeset had written, as it goes back. */
function useRollbacks(db: Database, panel: React.RefObject<HTMLElement | null>): void {
  useEffect(
    () =>
      db.onEvent((e) => {
        if (e.type !== "outcome" || e.outcome.kind !== "rejected") return;
        const cell = `${e.outcome.table}:${String(e.outcome.key[0] ?? "")}`;
        shake(panel.current?.querySelector(`[data-cell="${CSS.escape(cell)}"]`) ?? panel.current);
      }),
    [db, panel],
  );
}
