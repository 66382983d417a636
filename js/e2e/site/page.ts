import * as tidemark from "../../client/src/index.ts";

declare global {
  interface Window {
    readonly tidemark: typeof tidemark;
    /** The database that a test opened in this tab. */
    db: tidemark.Database;
    /** Whatever a test wants to keep between its calls. */
    kept: Record<string, unknown>;
  }
}

Object.assign(window, { tidemark, kept: {} });
