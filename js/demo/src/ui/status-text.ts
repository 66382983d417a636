import type { Status } from "@tidemark/client";

/** How a database stands, for its badge: a tone and a few words. */
export interface Standing {
  readonly tone: "good" | "busy" | "away" | "bad";
  readonly text: string;
}

export function standing(s: Status): Standing {
  if (s.phase === "failed") return { tone: "bad", text: s.error?.message ?? "Cannot be opened" };
  if (s.phase === "outdated") return { tone: "bad", text: "A newer page took over: reload" };
  if (!s.online) return { tone: "away", text: s.pending > 0 ? `Offline · ${s.pending} waiting` : "Offline" };
  if (s.sync === "stopped") return { tone: "bad", text: "Stopped" };
  if (s.phase === "opening") return { tone: "busy", text: "Opening…" };
  if (s.phase === "schema" || s.phase === "snapshot") return { tone: "busy", text: "Fetching the first copy…" };
  if (s.sync === "auth needed") return { tone: "busy", text: "Signing in…" };
  if (s.connected) return { tone: "good", text: s.pending > 0 ? `Sending ${s.pending}` : `In step at #${s.seq}` };
  return { tone: "busy", text: s.pending > 0 ? `No server · ${s.pending} waiting` : "Looking for the server…" };
}

const levels = {
  opfs: "the browser's private files",
  indexeddb: "IndexedDB",
  memory: "memory only: it goes with this page",
};

/** Where the database is kept, in words. */
export function kept(s: Status): string {
  return s.storage ? levels[s.storage.level] : "";
}
