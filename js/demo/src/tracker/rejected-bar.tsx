import { useDatabase, useRejected } from "@tidemark/react";
import type { Act } from "../ui/act.ts";
import { BackIcon } from "../ui/icons.tsx";

/** What the server refused, and why: rare in a tracker, and never silent. */
export function RejectedBar({ act }: { readonly act: Act["act"] }) {
  const db = useDatabase();
  const rejected = useRejected();
  return rejected.map((r) => (
    <div key={r.id} className="notice notice-rejected" role="status">
      <p className="notice-text">
        <BackIcon size={16} />
        <span>
          <strong>Rejected and rolled back:</strong> {r.message} <code>{r.code}</code>
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
  ));
}
