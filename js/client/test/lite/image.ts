import type { Database } from "../../src/lite/database.ts";

/** Puts the bytes of a file in the place of a database, which then lies in memory. */
export function deserialize(db: Database, bytes: Uint8Array): void {
  db.forget();
  const { sqlite } = db;
  const at = sqlite.copy(bytes);
  // Memory has no write-ahead log: the file says that it needs none.
  if (bytes.length > 19) sqlite.heap.fill(1, at + 18, at + 20);
  const { capi } = sqlite.api;
  const flags = capi.SQLITE_DESERIALIZE_FREEONCLOSE | capi.SQLITE_DESERIALIZE_RESIZEABLE;
  const rc = capi.sqlite3_deserialize(db.handle, "main", at, bytes.length, bytes.length, flags);
  if (rc !== 0) throw db.failure(rc);
}
