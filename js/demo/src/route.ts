import { useSyncExternalStore } from "react";

/** The page's two places. */
export type Place = "lab" | "tracker";

/** Where in the page we are, from the part of the address behind #. */
export interface Route {
  readonly place: Place;
  /** Of the tracker: the board that is shown, and the task that is open. */
  readonly board: string;
  readonly task: string;
}

export function parseRoute(hash: string): Route {
  const [place = "", board = "", task = ""] = hash.replace(/^#\/?/, "").split("/").map(decode);
  return place === "tracker" ? { place, board, task } : { place: "lab", board: "", task: "" };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return ""; // somebody typed it
  }
}

export function formatRoute(place: Place, ...rest: readonly string[]): string {
  return `#/${[place, ...rest].filter(Boolean).map(encodeURIComponent).join("/")}`;
}

function subscribe(fn: () => void): () => void {
  addEventListener("hashchange", fn);
  return () => removeEventListener("hashchange", fn);
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  return parseRoute(hash);
}

/** Goes somewhere without leaving a step behind in the history. */
export function replaceRoute(hash: string): void {
  history.replaceState(null, "", hash);
  dispatchEvent(new HashChangeEvent("hashchange"));
}
