import { useCallback, useState } from "react";

export interface Act {
  /** Runs something that a person asked for; what goes wrong is kept for them to read. */
  readonly act: (work: () => Promise<unknown>) => void;
  readonly problem: string;
  readonly dismiss: () => void;
}

export function useAct(): Act {
  const [problem, setProblem] = useState("");
  const dismiss = useCallback(() => setProblem(""), []);
  const act = useCallback((work: () => Promise<unknown>) => {
    work().then(
      () => setProblem(""),
      (err: unknown) => setProblem(messageOf(err)),
    );
  }, []);
  return { act, problem, dismiss };
}

export function messageOf(err: unknown): string {
  return err instanceof Error ? err.message : String(err);
}
