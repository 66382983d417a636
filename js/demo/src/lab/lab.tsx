import type { Database, Status } from "@tidemark/client";
import { TidemarkProvider } from "@tidemark/react";
import { useCallback, useEffect, useMemo, useReducer, useRef, useState } from "react";
import { messageOf, useAct } from "../ui/act.ts";
import { BackIcon, PlusIcon } from "../ui/icons.tsx";
import { fly } from "../ui/motion.ts";
import { Problem } from "../ui/problem.tsx";
import { useStored } from "../ui/stored.ts";
import { Guide } from "./guide.tsx";
import { type LogEntry, type ServerLog, useServerLog } from "./log-feed.ts";
import { authorOf, type Named, type Names, useNames } from "./names.ts";
import { ana, ben, chloe, type Person, people } from "./people.ts";
import { advance, type Facts, type Progress, START } from "./progress.ts";
import { type Refused, useRefusals } from "./refusals.ts";
import { ReplicaPanel } from "./replica-panel.tsx";
import { closeReplica, type Opened, useReplica } from "./replicas.ts";
import { type Cast, startOver } from "./scenarios.ts";
import { ServerColumn } from "./server-column.tsx";

/** Replicas side by side, the server's log between them. */
export function Lab() {
  const [third, setThird] = useStored<"yes" | "no">("tidemark-lab-third", "no");
  const anaDb = useReplica(ana);
  const benDb = useReplica(ben);
  const cast = useCast(anaDb, benDb);
  const [statuses, report] = useStatuses();
  const names = useNames(useMemo(() => replicasOf(statuses), [statuses]));
  const log = useServerLog();
  const [refusals, refused, forget] = useRefusals();
  const [progress, begin] = useProgress(statuses, log.head);
  const [chosen, setShown] = useState("ana");
  const { act, problem } = useAct();
  const stage = useRef<HTMLDivElement>(null);
  useArrivals(log, names, stage);

  const leave = (): void => {
    setThird("no");
    act(() => closeReplica(chloe));
  };
  const away = people.find((p) => p.id === progress.away) ?? ana;
  const shared = { names, report, refused, log: log.entries };
  const panels: readonly Place[] = [
    { id: "ana", label: "Ana" },
    { id: "server", label: "Server" },
    { id: "ben", label: "Ben" },
    ...(third === "yes" ? [{ id: "chloe", label: "Chloe" }] : []),
  ];
  const shown = panels.some((p) => p.id === chosen) ? chosen : "ana";
  return (
    <main className="lab" id="main">
      <div className="lab-intro">
        <div>
          <h1>Edit apart. End up the same.</h1>
          <p>
            Each side is a real SQLite database in this page. Cut a network, edit both, and watch what becomes of it.
          </p>
        </div>
        <div className="lab-tools">
          {third === "no" && (
            <button type="button" className="button button-quiet" onClick={() => setThird("yes")}>
              <PlusIcon size={16} /> Add Chloe
            </button>
          )}
          <button
            type="button"
            className="button button-quiet"
            disabled={!cast}
            onClick={() => cast && act(() => restart(cast, begin).then(forget))}
          >
            <BackIcon size={16} /> Start over
          </button>
        </div>
      </div>
      <Guide cast={cast} progress={progress} awayName={away.name} onBegin={begin} onShow={setShown} />
      <Problem text={problem} />
      <PlaceBar places={panels} shown={shown} onShow={setShown} statuses={statuses} />
      <div className="stage" ref={stage} data-shown={shown} data-third={third}>
        <Replica person={ana} opened={anaDb} {...shared} />
        <ServerColumn log={log} refusals={refusals} names={names} />
        <Replica person={ben} opened={benDb} {...shared} />
        {third === "yes" && <Third {...shared} onLeave={leave} />}
      </div>
    </main>
  );
}

async function restart(cast: Cast, begin: () => void): Promise<void> {
  if ([cast.ana, cast.ben].some((db) => db.status.sync === "stopped")) {
    // The server has another space under this name: only fresh copies help.
    await Promise.all([cast.ana.logout({ force: true }), cast.ben.logout({ force: true })]);
    location.reload();
    return;
  }
  await Promise.all([cast.ana.setNetwork(true), cast.ben.setNetwork(true)]);
  for (const db of [cast.ana, cast.ben]) {
    for (const r of await db.rejected()) await db.discard(r.id);
  }
  await startOver(cast.ana);
  begin();
}

interface Place {
  readonly id: string;
  readonly label: string;
}

interface PlaceBarProps {
  readonly places: readonly Place[];
  readonly shown: string;
  readonly onShow: (id: string) => void;
  readonly statuses: Statuses;
}

/** On a narrow window one panel is shown at a time; this chooses it. */
function PlaceBar({ places, shown, onShow, statuses }: PlaceBarProps) {
  return (
    <nav className="place-bar" aria-label="Panels">
      {places.map((p) => {
        const s = statuses.get(p.id);
        return (
          <button key={p.id} type="button" aria-pressed={p.id === shown} onClick={() => onShow(p.id)}>
            {p.label}
            {s && !s.online && <span className="place-note">offline</span>}
            {s && s.pending > 0 && <span className="count">{s.pending}</span>}
          </button>
        );
      })}
    </nav>
  );
}

interface ReplicaProps {
  readonly person: Person;
  readonly opened: Opened;
  readonly names: Names;
  readonly log: readonly LogEntry[];
  readonly report: Report;
  readonly refused: Refused;
  readonly onLeave?: (() => void) | undefined;
}

function Third(props: Omit<ReplicaProps, "person" | "opened">) {
  return <Replica {...props} person={chloe} opened={useReplica(chloe)} />;
}

function Replica({ person, opened, names, log, report, refused, onLeave }: ReplicaProps) {
  const db = opened && "db" in opened ? opened.db : null;
  useReports(person, db, report);
  useDepartures(person, db, refused);
  if (!db) {
    return (
      <section className="panel replica" data-person={person.id} aria-label={`${person.name}'s replica`}>
        {opened && "error" in opened ? (
          <Problem text={messageOf(opened.error)} />
        ) : (
          <div className="plan skeleton" aria-hidden="true" />
        )}
      </section>
    );
  }
  return (
    <TidemarkProvider database={db}>
      <ReplicaPanel person={person} db={db} names={names} log={log} onLeave={onLeave} />
    </TidemarkProvider>
  );
}

type Statuses = ReadonlyMap<string, Status>;
type Report = (id: string, status: Status | null) => void;

function useStatuses(): readonly [Statuses, Report] {
  const [statuses, setStatuses] = useState<Statuses>(new Map());
  const report = useCallback<Report>((id, status) => {
    setStatuses((old) => {
      const next = new Map(old);
      if (status) next.set(id, status);
      else next.delete(id);
      return next;
    });
  }, []);
  return [statuses, report];
}

/** Tells the lab how a replica stands. */
function useReports(person: Person, db: Database | null, report: Report): void {
  useEffect(() => {
    if (!db) return;
    report(person.id, db.status);
    const stop = db.onStatus((s) => report(person.id, s));
    return () => {
      stop();
      report(person.id, null);
    };
  }, [person, db, report]);
}

function replicasOf(statuses: Statuses): readonly Named[] {
  return people.flatMap((person) => {
    const replica = statuses.get(person.id)?.replica ?? "";
    return replica === "" ? [] : [{ replica, person }];
  });
}

function useCast(a: Opened, b: Opened): Cast | null {
  return useMemo(() => (a && b && "db" in a && "db" in b ? { ana: a.db, ben: b.db } : null), [a, b]);
}

function useProgress(statuses: Statuses, head: number): readonly [Progress, () => void] {
  const [progress, step] = useReducer(
    (p: Progress, facts: Facts | "begin") => (facts === "begin" ? START : advance(p, facts)),
    START,
  );
  useEffect(() => step({ statuses, head }), [statuses, head]);
  return [progress, useCallback(() => step("begin"), [])];
}

const partOf = (id: string): Element | null => document.querySelector(`[data-person="${id}"] [data-part="queue"]`);
const serverHead = (): Element | null => document.querySelector('[data-person="server"] .panel-head');

/** Lets each changeset travel to the server when its outcome is there. */
function useDepartures(person: Person, db: Database | null, refused: Refused): void {
  useEffect(
    () =>
      db?.onEvent((e) => {
        if (e.type !== "outcome") return;
        const back = e.outcome.kind === "rejected";
        fly({ from: partOf(person.id), to: serverHead(), hue: person.hue, refused: back });
        if (back) refused(person, e.outcome);
      }),
    [person, db, refused],
  );
}

/** Lets what the server accepted travel to the others who are online. */
function useArrivals(log: ServerLog, names: Names, stage: React.RefObject<HTMLDivElement | null>): void {
  const seen = useRef(0);
  const newest = log.entries[0];
  useEffect(() => {
    if (!newest || newest.seq <= seen.current) return;
    const first = seen.current === 0;
    seen.current = newest.seq;
    if (first) return;
    const author = authorOf(names, newest.replica);
    const others = stage.current?.querySelectorAll('.replica[data-online="true"]') ?? [];
    for (const el of others) {
      if (el.getAttribute("data-person") === author?.id) continue;
      fly({ from: serverHead(), to: el.querySelector(".plan"), hue: author?.hue ?? 200 });
    }
  }, [newest, names, stage]);
}
