import type { Fields } from "./reader.ts";

/** Brings a schema that the replica does not have yet. */
export interface Schema {
  readonly type: "schema";
  readonly hash: string;
  /** As it was sent: JSON of schema/encode.ts. */
  readonly body: string;
}

export function readSchema(a: Fields): Schema {
  return { type: "schema", hash: a.str(), body: a.raw() ?? "" };
}
