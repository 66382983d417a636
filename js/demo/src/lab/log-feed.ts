import { useEffect, useState } from "react";
import type { LogChange } from "../describe.ts";

/** An accepted changeset in the server's log. */
export interface LogEntry {
  readonly seq: number;
  readonly at: number;
  readonly replica: string;
  readonly n: number;
  readonly changes?: readonly LogChange[];
}

interface Feed {
  readonly head: number;
  readonly log: readonly LogEntry[];
}

export interface ServerLog {
  /** The newest first. */
  readonly entries: readonly LogEntry[];
  readonly head: number;
  readonly reachable: boolean;
}

/** How many entries are kept. */
const KEPT = 60;
const PAUSE = 2000;

/** Follows the log of the lab on the server for as long as it is shown. */
export function useServerLog(): ServerLog {
  const [log, setLog] = useState<ServerLog>({ entries: [], head: 0, reachable: true });
  useEffect(() => {
    const end = new AbortController();
    void follow(end.signal, setLog);
    return () => end.abort();
  }, []);
  return log;
}

async function follow(signal: AbortSignal, show: (fn: (log: ServerLog) => ServerLog) => void) {
  let head = -1; // the server answers at once to what cannot be its head
  while (!signal.aborted) {
    try {
      const after = head;
      const feed = await ask(after, signal);
      head = feed.head;
      show((log) => ({ entries: merge(feed, after > feed.head ? [] : log.entries), head: feed.head, reachable: true }));
    } catch {
      if (signal.aborted) return;
      show((log) => ({ ...log, reachable: false }));
      await pause(PAUSE, signal);
    }
  }
}

async function ask(after: number, signal: AbortSignal): Promise<Feed> {
  const resp = await fetch(`/demo/log?after=${after}`, { signal });
  if (!resp.ok) throw new Error(resp.statusText);
  return (await resp.json()) as Feed; // of our own server
}

/** Puts what is new in front; an entry that came twice stays once. */
export function merge(feed: Feed, before: readonly LogEntry[]): readonly LogEntry[] {
  const known = new Set(before.map((e) => e.seq));
  const fresh = feed.log.filter((e) => !known.has(e.seq)).toReversed();
  return [...fresh, ...before].slice(0, KEPT);
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
