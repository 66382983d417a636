import type { RejectedChangeset } from "@tidemark/client";
import { useDatabase, useQuery, useRejected } from "@tidemark/react";
import { sayChanges } from "../describe.ts";
import type { Act } from "../ui/act.ts";
import { BackIcon } from "../ui/icons.tsx";
import { SaidList } from "../ui/said-list.tsx";

/** What the server refused, and why: undone here, and never silently gone. */
export function RejectedBar({ act }: { readonly act: Act["act"] }) {
  const rejected = useRejected();
  if (rejected.length === 0) return null;
  return (
    <div className="news" role="status">
      {rejected.map((r) => (
        <Rejected key={r.id} changeset={r} act={act} />
      ))}
    </div>
  );
}

function Rejected({ changeset: r, act }: { readonly changeset: RejectedChangeset; readonly act: Act["act"] }) {
  const db = useDatabase();
  return (
    <div className="notice notice-rejected">
      <p className="notice-text">
        <BackIcon size={16} />
        <span>
          <strong>Refused and rolled back:</strong> <SaidList said={sayChanges(r.changes)} />
          <About changeset={r} />
          <span className="notice-why">
            <code>{r.code}</code> {r.message}
          </span>
        </span>
      </p>
      <div className="notice-actions">
        <button type="button" className="button" onClick={() => act(() => db.discard(r.id))}>
          Discard
        </button>
        <button type="button" className="button button-quiet" onClick={() => act(() => db.retry(r.id))}>
          Try again
        </button>
      </div>
    </div>
  );
}

/** Which board or task it was about, while this device holds it. */
function About({ changeset: r }: { readonly changeset: RejectedChangeset }) {
  const board = r.changes.find((c) => c.table === "board");
  const key = board ? board.key.id : r.table === "task" ? r.key[0] : null;
  const sql = board ? "SELECT name FROM board WHERE id = ?" : "SELECT title AS name FROM task WHERE id = ?";
  const { rows } = useQuery<{ name: string }>(typeof key === "string" ? sql : null, [String(key)]);
  const [row] = rows;
  return (
    row && (
      <span>
        {" "}
        of the {board ? "board" : "task"} “{row.name}”
      </span>
    )
  );
}
