import type { Down } from "./down.ts";
import type { Up } from "./up.ts";

/**
 * Leaves out of messages what both ends of a session know: the schema of a
 * push, the term and schema of a batch, the replica of an outcome. A shell has
 * one per session, and passes through it what it sends before encoding, and
 * what it decoded.
 */
export class Shorthand {
  #pushed = "";
  #replica = "";
  #term = "";
  #schema = "";

  /** The message to encode. */
  up(m: Up): Up {
    if (m.type === "hello") this.#pushed = m.schema;
    if (m.type !== "push") return m;
    if (m.schema !== "" && m.schema === this.#pushed) return { ...m, schema: "" };
    this.#pushed = m.schema || this.#pushed;
    return m;
  }

  /** A message that was decoded, with what was left out. */
  down(m: Down): Down {
    switch (m.type) {
      case "welcome":
        this.#replica = m.replica;
        this.#term = m.term;
        this.#schema = m.schema;
        return m;
      case "schema":
        this.#schema = m.hash;
        return m;
      case "batch":
        this.#term = m.term || this.#term;
        this.#schema = m.schema || this.#schema;
        return { ...m, term: this.#term, schema: this.#schema };
      case "outcomes":
        return { ...m, list: m.list.map((o) => (o.replica === "" ? { ...o, replica: this.#replica } : o)) };
      default:
        return m;
    }
  }
}
