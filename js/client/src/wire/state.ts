import type { Seq } from "../change.ts";
import { TidemarkError } from "../error.ts";
import { unhex } from "../value.ts";

/** Headers of the answer to a request for a snapshot: its state, its rows, the bytes of the file once decompressed. */
export const headerState = "Tidemark-State";
export const headerRows = "Tidemark-Rows";
export const headerBytes = "Tidemark-Bytes";

/** The state of a space that a snapshot holds. */
export interface SpaceState {
  readonly space: string;
  readonly incarnation: string;
  readonly term: string;
  readonly head: Seq;
  readonly sum: bigint;
  readonly schemaHash: string;
  readonly digestKey: Uint8Array;
}

/** Reads the header of a snapshot. */
export function parseState(text: string): SpaceState {
  try {
    const { space, incarnation, term, head, sum, schema, digest_key } = JSON.parse(text);
    const digestKey = unhex(digest_key);
    if (digestKey?.length === 16 && typeof space === "string" && Number.isSafeInteger(head)) {
      return { space, incarnation, term, head, sum: BigInt(sum), schemaHash: schema, digestKey };
    }
  } catch {
    // Said below.
  }
  throw new TidemarkError("protocol", "a state that cannot be read");
}
