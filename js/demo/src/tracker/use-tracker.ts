import { type Database, open } from "@tidemark/client";
import { useEffect, useState } from "react";

/** The tracker's database: opened when first shown, and kept while the page lives. */
let opening: Promise<Database> | null = null;

export function openTracker(): Promise<Database> {
  opening ??= open({ name: "tracker", server: "/tracker" });
  return opening;
}

export type OpenedTracker = { readonly db: Database } | { readonly error: unknown } | null;

export function useTracker(): OpenedTracker {
  const [state, setState] = useState<OpenedTracker>(null);
  useEffect(() => {
    let gone = false;
    openTracker().then(
      (db) => !gone && setState({ db }),
      (error: unknown) => {
        opening = null;
        if (!gone) setState({ error });
      },
    );
    return () => {
      gone = true;
    };
  }, []);
  return state;
}
