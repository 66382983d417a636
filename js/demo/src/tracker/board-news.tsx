import { formatRoute } from "../route.ts";
import { ArriveIcon, CrossIcon, LeaveIcon, TrashIcon } from "../ui/icons.tsx";
import type { Board } from "./model.ts";
import type { BoardNews } from "./use-boards.ts";

interface Props {
  readonly news: readonly BoardNews[];
  /** Those that are here, by the names that they have now. */
  readonly boards: readonly Board[];
  /** The board that is shown. */
  readonly shown: string;
  readonly lost: ReadonlyMap<string, number>;
  readonly onClose: (id: string) => void;
}

const icons = { came: ArriveIcon, left: LeaveIcon, deleted: TrashIcon };

/** Boards that came and went while one looked. */
export function BoardNewsList({ news, boards, shown, lost, onClose }: Props) {
  return (
    <div className="news" role="status">
      {news.map((n) => {
        const Icon = icons[n.what];
        return (
          <div key={n.id} className={`notice notice-news ${n.what === "came" ? "" : "notice-calm"}`} data-news={n.what}>
            <p className="notice-text">
              <Icon size={16} />
              <span>{textOf(n.what, boards.find((b) => b.id === n.id)?.name ?? n.name, lost.get(n.id))}</span>
            </p>
            {n.what === "came" && n.id !== shown && (
              <a className="button button-quiet" href={formatRoute("tracker", n.id)} onClick={() => onClose(n.id)}>
                Show it
              </a>
            )}
            <button type="button" className="icon-button" aria-label="Close" onClick={() => onClose(n.id)}>
              <CrossIcon size={15} />
            </button>
          </div>
        );
      })}
    </div>
  );
}

function textOf(what: BoardNews["what"], called: string, rows: number | undefined): React.ReactNode {
  const name = <strong>{called}</strong>;
  if (what === "came") return <>You are on {name} now. Its rows are on this device.</>;
  if (what === "deleted") return <>{name} was deleted.</>;
  return (
    <>
      {name} left: you are not on it any more, or an owner deleted it. {rows === undefined ? "Its" : `Its ${rows}`} rows
      are gone from this device.
    </>
  );
}
