import { useStatus } from "@tidemark/react";
import type { Act } from "../ui/act.ts";
import { CrossIcon, TrashIcon } from "../ui/icons.tsx";
import { isWhole } from "./board-copy.ts";
import { sayContents } from "./model.ts";
import type { Deletion, Deletions } from "./use-deletions.ts";

interface Props {
  readonly deletions: Deletions;
  /** Those of them that are still gone. */
  readonly shown: readonly Deletion[];
  readonly act: Act["act"];
  /** Goes to a board that is there again. */
  readonly onBack: (id: string) => void;
}

/** Boards that this tab deleted: what became of it, and the way back. */
export function DeletedBar({ deletions, shown, act, onBack }: Props) {
  const { online } = useStatus();
  const undo = (d: Deletion): void => act(() => deletions.undo(d).then(() => onBack(d.copy.id)));
  return (
    <div className="news" role="status">
      {shown.map((d) => (
        <div key={d.copy.id} className="notice notice-news notice-calm" data-deleted={d.copy.id}>
          <p className="notice-text">
            <TrashIcon size={16} />
            <span>
              <strong>{d.copy.name}</strong> {textOf(d, deletions.waits(d), online)}
            </span>
          </p>
          {isWhole(d.copy) && (
            <button type="button" className="button" onClick={() => undo(d)}>
              Undo
            </button>
          )}
          <button type="button" className="icon-button" aria-label="Close" onClick={() => deletions.dismiss(d.copy.id)}>
            <CrossIcon size={15} />
          </button>
        </div>
      ))}
    </div>
  );
}

function textOf({ copy, outcome }: Deletion, waits: boolean, online: boolean): string {
  const what = sayContents(copy.contents);
  const whole = what === "" ? "" : `, with ${what}`;
  if (waits && !online) return `is deleted on this device${whole}. The others have it until you are online again.`;
  if (outcome !== "merged") return `was deleted${whole}.`;
  return `was deleted${whole}. Somebody had changed it meanwhile: that was deleted, too, and the server keeps a record of what they wrote.`;
}
