import { useDatabase, useStatus } from "@tidemark/react";
import type { Act } from "./act.ts";

/**
 * Says why a database stopped syncing, and offers to begin anew: after somebody
 * removed the demo's folder the server has another space under the old name.
 */
export function StoppedNotice({ act }: { readonly act: Act["act"] }) {
  const db = useDatabase();
  const { sync, error, pending, rejected } = useStatus();
  if (sync !== "stopped" || error === null) return null;
  const anew = async (): Promise<void> => {
    await db.logout({ force: true });
    location.reload();
  };
  const waiting = pending + rejected;
  return (
    <div className="notice notice-rejected" role="alert">
      <p className="notice-text">
        <span>
          <strong>Not in sync any more:</strong> {error.message} <code>{error.code}</code>
        </span>
      </p>
      <div className="notice-actions">
        <button type="button" className="button" onClick={() => act(anew)}>
          Fetch a fresh copy{waiting > 0 && `, and lose ${waiting} of yours`}
        </button>
        <button type="button" className="button button-quiet" onClick={() => act(() => db.reconnect())}>
          Try again
        </button>
      </div>
    </div>
  );
}
