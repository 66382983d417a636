import type { RejectedChangeset } from "@tidemark/client";
import { useDatabase, useQuery, useRejected } from "@tidemark/react";
import { sayChange } from "../describe.ts";
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
          <strong>Refused and rolled back:</strong> <SaidList said={r.changes.flatMap(sayChange)} />
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

/** Which task it was about, while this device holds it. */
function About({ changeset: r }: { readonly changeset: RejectedChangeset }) {
  const key = r.table === "task" ? String(r.key[0] ?? "") : "";
  const { rows } = useQuery<{ title: string }>(key === "" ? null : "SELECT title FROM task WHERE id = ?", [key]);
  const [task] = rows;
  return task && <span> of the task “{task.title}”</span>;
}
