import type { Database } from "@tidemark/client";
import { useCallback, useEffect, useRef } from "react";
import { ana } from "./lab/people.ts";
import { openReplica } from "./lab/replicas.ts";
import type { Place } from "./route.ts";
import { openTracker } from "./tracker/use-tracker.ts";

/** Opens and closes the inspector of the database that the place shows; its code is loaded when first asked for. */
export function useInspector(place: Place, me: string): () => void {
  const close = useRef<(() => void) | null>(null);
  const leave = useCallback(() => {
    close.current?.();
    close.current = null;
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another place or person, another database
  useEffect(() => leave, [place, me]);
  return useCallback(() => {
    if (close.current) {
      leave();
      return;
    }
    void mount(place === "lab" ? openReplica(ana) : openTracker(me)).then((end) => {
      close.current = end;
    });
  }, [place, me, leave]);
}

async function mount(opening: Promise<Database>): Promise<() => void> {
  const { mountInspector } = await import("@tidemark/client/inspector");
  return mountInspector(await opening, { open: true });
}
