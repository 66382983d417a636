import type { Want } from "../../src/wire/scope.ts";

/** An SQL statement with its arguments, spelled as in the vectors. */
export interface Stmt {
  readonly sql: string;
  readonly args?: readonly string[];
}

/** What the harness asks: one line of JSON each, answered by one line. Bytes are in base64. */
export type Request =
  | {
      readonly do: "create";
      readonly device: string;
      readonly world: string;
      readonly snapshot: string;
      readonly state: {
        readonly space: string;
        readonly incarnation: string;
        readonly term: string;
        readonly head: number;
        readonly sum: string;
        readonly digestKey: string;
      };
      readonly schema: string;
      readonly readOnly: boolean;
      readonly only: boolean;
      readonly want: readonly Want[];
      readonly brief: boolean;
      readonly loop: LoopSettings;
    }
  | {
      readonly do: "adopt";
      readonly device: string;
      readonly world: string;
      readonly image: string;
      readonly brief: boolean;
      readonly loop: LoopSettings;
    }
  | { readonly do: "image" | "reopen" | "dump" | "report" | "wants" | "close"; readonly device: string }
  | {
      readonly do: "write" | "tamper";
      readonly device: string;
      readonly now: number;
      readonly stmts: readonly Stmt[];
      readonly own: boolean;
      readonly loose: boolean;
    }
  | {
      readonly do: "step";
      readonly device: string;
      readonly now: number;
      readonly event: { readonly type: string; readonly text?: string };
    }
  | {
      readonly do: "subscribe";
      readonly device: string;
      readonly now: number;
      readonly only: boolean;
      readonly want: readonly Want[];
    }
  | { readonly do: "ddl"; readonly device: string; readonly now: number; readonly sql: string }
  | Dispose;

/** What becomes of a rejected changeset; of replace the statement names the table, then come column, value and key. */
export interface Dispose {
  readonly do: "retry" | "discard" | "replace";
  readonly device: string;
  readonly now: number;
  readonly id: number;
  readonly apart: boolean;
  readonly stmts: readonly Stmt[] | null;
}

export interface LoopSettings {
  readonly minDelay: number;
  readonly maxDelay: number;
  readonly patience: number;
  readonly keepalive: number;
  readonly pushBytes: number;
}
