import type { Database } from "@tidemark/client";
import { TidemarkProvider, useDatabase, useQuery, useScopes, useStatus } from "@tidemark/react";
import { useMemo, useState } from "react";
import { formatRoute, type Route, replaceRoute } from "../route.ts";
import { messageOf, useAct } from "../ui/act.ts";
import { Problem } from "../ui/problem.tsx";
import { useShortcuts } from "../ui/shortcuts.ts";
import { kept, standing } from "../ui/status-text.ts";
import { StoppedNotice } from "../ui/stopped-notice.tsx";
import { StorageNotice } from "../ui/storage-notice.tsx";
import { Switch } from "../ui/switch.tsx";
import { Absent, NoBoard } from "./absent.tsx";
import { BoardBar } from "./board-bar.tsx";
import { BoardMenu } from "./board-menu.tsx";
import { BoardNewsList } from "./board-news.tsx";
import { BoardView } from "./board-view.tsx";
import { DeleteDialog } from "./delete-dialog.tsx";
import { DeletedBar } from "./deleted-bar.tsx";
import { ALL, type Filter, labelsOf } from "./filter.ts";
import { FilterBar } from "./filter-bar.tsx";
import { addBoard, type Board, CARDS, type Card, PEOPLE, type Person, renameBoard } from "./model.ts";
import { OnBoard } from "./on-board.tsx";
import { RejectedBar } from "./rejected-bar.tsx";
import { TaskPanel } from "./task-panel.tsx";
import { type BoardNews, useBoards } from "./use-boards.ts";
import { useDeletions } from "./use-deletions.ts";
import { useTracker } from "./use-tracker.ts";
import { ViewerNotice } from "./viewer-notice.tsx";
import { WhoButton } from "./who-button.tsx";

interface Props {
  readonly route: Route;
  /** Who sits in front of this tab. */
  readonly me: string;
  readonly onChoose: (id: string) => void;
}

/** The project tracker: one database for each person, all of it live. */
export function Tracker(props: Props) {
  const opened = useTracker(props.me);
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
      <Boards {...props} db={opened.db} />
    </TidemarkProvider>
  );
}

function Boards({ route, me, onChoose, db }: Props & { readonly db: Database }) {
  const { boards, loading, news, lost, dismiss } = useBoards(me);
  const { rows: list } = useQuery<Person>(PEOPLE, [], { key: "id" });
  const people = useMemo(() => new Map(list.map((p) => [p.id, p])), [list]);
  const scopes = useScopes();
  const granted = useMemo(() => new Set(scopes.flatMap((s) => (s.granted ? s.scope : []))), [scopes]);
  const { phase, connected } = useStatus();
  const { act, problem, dismiss: forget } = useAct();
  const filling = loading || (boards.length === 0 && phase !== "ready");
  const board = route.board === "" ? boards[0] : boards.find((b) => b.id === route.board);
  const [renaming, setRenaming] = useState("");
  const [deleting, setDeleting] = useState("");
  const [focus, setFocus] = useState("");
  const deletions = useDeletions(db, me);
  // A delete that was refused is none: what it did came back, which is no news either.
  const deleted = deletions.list.filter((d) => d.outcome !== "rejected" && boards.every((b) => b.id !== d.copy.id));
  const own = (n: BoardNews): boolean =>
    deletions.list.some((d) => d.copy.id === n.id && (d.outcome !== "rejected" || n.what === "came"));
  const doomed = boards.find((b) => b.id === deleting);
  const show = (id: string): void => {
    location.hash = formatRoute("tracker", id);
    setFocus(id);
  };
  const addAndShow = (name: string): void => act(async () => show(await addBoard(db, name, me)));
  const remove = (id: string): void => {
    setDeleting("");
    act(() => deletions.remove(id).then(() => show(nextTo(boards, id))));
  };
  return (
    <main className="tracker" id="main">
      <div className="tracker-head">
        <h1 className="visually-hidden">Tracker</h1>
        <BoardBar
          boards={boards}
          current={board?.id ?? ""}
          task={route.task}
          me={me}
          people={people}
          granted={granted}
          renaming={renaming}
          focus={focus}
          onAdd={addAndShow}
          onRename={(b, name) => act(() => renameBoard(db, b, name))}
          onRenamed={(b, byKey) => {
            setRenaming("");
            if (byKey) setFocus(b.id);
          }}
          onFocused={() => setFocus("")}
        />
        <div className="tracker-tools">
          <Standing act={act} />
          <WhoButton people={people} me={me} onChoose={onChoose} />
        </div>
      </div>
      <Problem text={problem} onClose={forget} />
      <StorageNotice />
      <StoppedNotice act={act} />
      <BoardNewsList
        news={news.filter((n) => !own(n))}
        boards={boards}
        lost={lost}
        shown={board?.id ?? ""}
        onClose={dismiss}
      />
      <DeletedBar deletions={deletions} shown={deleted} act={act} onBack={show} />
      <RejectedBar act={act} />
      {filling && <div className="board skeleton" aria-hidden="true" />}
      {board && (
        <OneBoard
          key={board.id}
          board={board}
          task={route.task}
          me={me}
          people={people}
          act={act}
          onRename={() => setRenaming(board.id)}
          onDelete={() => setDeleting(board.id)}
        />
      )}
      {doomed && (
        <DeleteDialog board={doomed} me={me} onDelete={() => remove(doomed.id)} onClose={() => setDeleting("")} />
      )}
      {!board && !filling && route.board !== "" && (
        <Absent key={route.board} board={route.board} next={boards[0]} away={!connected} />
      )}
      {!board && !filling && route.board === "" && <NoBoard />}
    </main>
  );
}

/** The board that is shown when one goes: its neighbour, or "" for whichever is first. */
export function nextTo(boards: readonly Pick<Board, "id">[], id: string): string {
  const at = boards.findIndex((b) => b.id === id);
  return (boards[at + 1] ?? boards[at - 1])?.id ?? "";
}

interface OneBoardProps {
  readonly board: Board;
  readonly task: string;
  readonly me: string;
  readonly people: ReadonlyMap<string, Person>;
  readonly act: (work: () => Promise<unknown>) => void;
  readonly onRename: () => void;
  readonly onDelete: () => void;
}

/** A board with its filters and the task that is open. */
function OneBoard({ board, task, me, people, act, onRename, onDelete }: OneBoardProps) {
  const [filter, setFilter] = useState<Filter>(ALL);
  const [trying, setTrying] = useState(false);
  const { rows: cards } = useQuery<Card>(CARDS, [board.id], { key: "id" }); // that of the board: both share one run
  const labels = useMemo(() => labelsOf(cards).slice(0, 8), [cards]);
  const viewer = board.role === "viewer";
  const mayEdit = viewer ? trying : board.role !== null;
  const shared = { board, me, people, mayEdit, act };
  return (
    <>
      <div className="board-head">
        <FilterBar filter={filter} labels={labels} onChange={setFilter} />
        <div className="board-tools">
          <OnBoard board={board} me={me} people={people} act={act} />
          <BoardMenu board={board} trying={viewer && trying} act={act} onRename={onRename} onDelete={onDelete} />
        </div>
      </div>
      {viewer && <ViewerNotice trying={trying} onTry={setTrying} />}
      <BoardView
        {...shared}
        filter={filter}
        onOpen={(id) => {
          location.hash = formatRoute("tracker", board.id, id);
        }}
      />
      {task !== "" && (
        <TaskPanel {...shared} key={task} task={task} onClose={() => replaceRoute(formatRoute("tracker", board.id))} />
      )}
    </>
  );
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
