import type { Storage } from "../storage/storage.ts";
import { load, unload } from "./cargo.ts";
import { Copy, openFile } from "./copy.ts";
import type { Host } from "./host.ts";
import { missing, type Rescued } from "./spare.ts";
import { errorInfo } from "./views.ts";

/** The copy in the file that is there; null: there is none. */
export function inheritCopy(host: Host): Copy | null {
  const storage = host.storage!;
  const [file, ...rest] = storage.files();
  // A second one was not finished: the first goes only when it is.
  for (const name of rest) storage.remove(name);
  if (file === undefined) return null;
  const db = openFile(host.sqlite, storage, file);
  if (db.int("SELECT count(*) FROM sqlite_schema WHERE name = '_tm_meta'") > 0)
    return new Copy(file, db, host.merge, host.committed);
  db.close(); // made, and not filled: a crash at the very beginning
  storage.remove(file);
  return null;
}

/** Takes over what is pending in a place that was used while the one in use failed. */
export function inheritPending(host: Host, older: Storage, { replica }: Copy): void {
  const file = older.files()[0];
  if (file !== undefined) {
    try {
      const copy = new Copy(file, openFile(host.sqlite, older, file), host.merge, () => {});
      copy.replica.seal(Date.now());
      load(replica, unload(copy.replica), Date.now());
      copy.db.script("DELETE FROM main._tm_pending; DELETE FROM main._tm_rejected");
      copy.close();
      void older.flush(); // what is here now must not come once more, should the place stay
      host.committed(null);
    } catch (err) {
      host.links.event({ type: "error", error: errorInfo(err) });
      return; // it stays where it is
    }
  }
  older.wipe().catch(() => {});
}

/** Takes over what was pending when the storage failed, and is not in what it gave back, if it gave anything. */
export function inheritRescued(host: Host, { cargo, beyond }: Rescued, found: boolean, { replica }: Copy): void {
  const left = found ? missing(cargo, replica) : cargo;
  if (left.pending.length > 0) load(replica, left, Date.now());
  if (beyond > 0 && !found) {
    const message = "the storage was gone, with changesets that had not been sent and were too many to keep in memory";
    host.risk({ kind: "lost", message, pending: beyond });
  }
  const message = found
    ? "the storage failed and was opened again; all is there"
    : "the storage was gone; what was pending is there again, the rest comes from the server";
  host.risk({ kind: "reopened", message, pending: host.status.now().pending });
}
