import type { Database } from "@tidemark/client";
import { TidemarkProvider, useDatabase, useQuery, useStatus } from "@tidemark/react";
import { useMemo, useState } from "react";
import { formatRoute, type Route, replaceRoute } from "../route.ts";
import { messageOf, useAct } from "../ui/act.ts";
import { Problem } from "../ui/problem.tsx";
import { useShortcuts } from "../ui/shortcuts.ts";
import { kept, standing } from "../ui/status-text.ts";
import { StoppedNotice } from "../ui/stopped-notice.tsx";
import { StorageNotice } from "../ui/storage-notice.tsx";
import { useStored } from "../ui/stored.ts";
import { Switch } from "../ui/switch.tsx";
import { BoardBar } from "./board-bar.tsx";
import { BoardView } from "./board-view.tsx";
import { ALL, type Filter, labelsOf } from "./filter.ts";
import { FilterBar } from "./filter-bar.tsx";
import { MemberMenu } from "./members.tsx";
import { addBoard, BOARDS, type Board, CARDS, type Card, MEMBERS, type Member } from "./model.ts";
import { PeopleDialog } from "./people-dialog.tsx";
import { RejectedBar } from "./rejected-bar.tsx";
import { TaskPanel } from "./task-panel.tsx";
import { useTracker } from "./use-tracker.ts";

/** The project tracker: one database, all of it live. */
export function Tracker({ route }: { readonly route: Route }) {
  const opened = useTracker();
  if (opened && "error" in opened) {
    return (
      <main className="tracker" id="main">
        <Problem text={messageOf(opened.error)} />
      </main>
    );
  }
  if (!opened) {
    return (
      <main className="tracker" id="main" aria-busy="true">
        <div className="board skeleton" aria-hidden="true" />
      </main>
    );
  }
  return (
    <TidemarkProvider database={opened.db}>
      <Boards route={route} db={opened.db} />
    </TidemarkProvider>
  );
}

function Boards({ route, db }: { readonly route: Route; readonly db: Database }) {
  const { rows: boards, loading } = useQuery<Board>(BOARDS, [], { key: "id" });
  const { rows: memberList } = useQuery<Member>(MEMBERS, [], { key: "id" });
  const members = useMemo(() => new Map(memberList.map((m) => [m.id, m])), [memberList]);
  const [meId, setMe] = useStored<string>("tidemark-me", "ana");
  const [filter, setFilter] = useState<Filter>(ALL);
  const [people, setPeople] = useState(false);
  const { act, problem, dismiss } = useAct();
  const me = members.get(meId) ?? memberList[0];
  const mayEdit = me !== undefined && me.role !== "viewer";
  const board = boards.find((b) => b.id === route.board) ?? boards[0];
  const open = useMemo(
    () => (task: string) => {
      location.hash = formatRoute("tracker", board?.id ?? "", task);
    },
    [board?.id],
  );
  const addAndShow = (name: string): void =>
    act(async () => {
      location.hash = formatRoute("tracker", await addBoard(db, name));
    });
  return (
    <main className="tracker" id="main">
      <div className="tracker-head">
        <h1 className="visually-hidden">Tracker</h1>
        <BoardBar boards={boards} current={board?.id ?? ""} onAdd={mayEdit ? addAndShow : null} />
        <div className="tracker-tools">
          <Standing act={act} />
          <MemberMenu members={memberList} me={me} onChoose={setMe} onManage={() => setPeople(true)} />
        </div>
      </div>
      <Labelled board={board?.id ?? ""} filter={filter} onChange={setFilter} />
      <Problem text={problem} onClose={dismiss} />
      <StorageNotice />
      <StoppedNotice act={act} />
      <RejectedBar act={act} />
      {loading && <div className="board skeleton" aria-hidden="true" />}
      {board && (
        <BoardView
          key={board.id}
          board={board.id}
          filter={filter}
          me={me}
          members={members}
          mayEdit={mayEdit}
          act={act}
          onOpen={open}
        />
      )}
      {!board && !loading && <p className="part-empty">There is no board. Add one.</p>}
      {people && <PeopleDialog members={memberList} me={me} act={act} onClose={() => setPeople(false)} />}
      {board && route.task !== "" && (
        <TaskPanel
          key={route.task}
          task={route.task}
          me={me}
          members={members}
          mayEdit={mayEdit}
          act={act}
          onClose={() => replaceRoute(formatRoute("tracker", board.id))}
        />
      )}
    </main>
  );
}

interface LabelledProps {
  readonly board: string;
  readonly filter: Filter;
  readonly onChange: (f: Filter) => void;
}

/** The filters, with the labels that the board has. The query is that of the board: both share one run. */
function Labelled({ board, filter, onChange }: LabelledProps) {
  const { rows } = useQuery<Card>(board === "" ? null : CARDS, [board], { key: "id" });
  const labels = useMemo(() => labelsOf(rows).slice(0, 8), [rows]);
  return <FilterBar filter={filter} labels={labels} onChange={onChange} />;
}

/** How the tracker's database stands, with its switch. */
function Standing({ act }: { readonly act: (work: () => Promise<unknown>) => void }) {
  const db = useDatabase();
  const status = useStatus();
  const { tone, text } = standing(status);
  const toggle = (): void => act(() => db.setNetwork(!status.online));
  useShortcuts({ o: toggle });
  return (
    <div className="standing" data-tone={tone}>
      <span className={`dot dot-${tone}`} aria-hidden="true" />
      <span role="status" title={`Kept in ${kept(status)}`}>
        {text}
      </span>
      <Switch on={status.online} onChange={toggle} label="Network of the tracker" />
    </div>
  );
}
