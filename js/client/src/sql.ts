import type { Param } from "./database.ts";
import { TidemarkError } from "./error.ts";
import type { CallOptions } from "./options.ts";

/** SQL text with the values of its parameters; made by sql. */
export interface Query {
  readonly sql: string;
  readonly params: readonly Param[];
}

/**
 * Makes a query of a template: each value becomes a parameter, never text; a
 * query among the values becomes part of the text.
 *
 *     const open = sql`done = ${0}`;
 *     await db.query(sql`SELECT * FROM task WHERE ${open}`);
 */
export function sql(strings: TemplateStringsArray, ...values: readonly (Param | Query)[]): Query {
  let text = strings[0]!;
  const params: Param[] = [];
  values.forEach((v, i) => {
    if (isQuery(v)) {
      text += v.sql;
      params.push(...v.params);
    } else {
      text += "?";
      params.push(v);
    }
    text += strings[i + 1]!;
  });
  return { sql: text, params };
}

function isQuery(v: unknown): v is Query {
  return typeof v === "object" && v !== null && "sql" in v && "params" in v;
}

/** What exec, query and queryOne take, in one form. */
export function queryOf(
  first: TemplateStringsArray | string | Query,
  rest: readonly unknown[],
): { query: Query; options?: CallOptions } {
  if (isTemplate(first)) {
    // The overloads say what the values of a template are.
    return { query: checked(sql(first, ...(rest as (Param | Query)[]))) };
  }
  const query = isQuery(first) ? first : { sql: first, params: (rest[0] ?? []) as readonly Param[] };
  return { query: checked(query), ...(rest[1] !== undefined && { options: rest[1] as CallOptions }) };
}

function isTemplate(v: unknown): v is TemplateStringsArray {
  return Array.isArray(v) && "raw" in v;
}

/** Half of a character that takes two places in a string. */
const LONE = /\p{Surrogate}/u;

/** Refuses what SQLite cannot hold, before it leaves the tab. */
export function checked(q: Query): Query {
  if (typeof q.sql !== "string" || LONE.test(q.sql)) throw usage("SQL must be well-formed text");
  if (!Array.isArray(q.params)) throw usage("parameters must be an array");
  for (const [i, v] of q.params.entries()) checkValue(v, `parameter ${i + 1}`);
  return q;
}

/** Refuses what is no value of SQLite's. */
export function checkValue(v: unknown, which: string): void {
  switch (typeof v) {
    case "string":
      if (LONE.test(v)) throw usage(`${which} holds half a character`, "cut text between characters, not inside them");
      return;
    case "number":
      if (Number.isNaN(v)) throw usage(`${which} is not a number`, "use null for no value");
      return;
    case "bigint":
      if (BigInt.asIntN(64, v) !== v) throw usage(`${which} is beyond 64 bits`);
      return;
    case "boolean":
      return;
    default:
      if (v === null || v instanceof Uint8Array) return;
      throw usage(
        `${which} is ${v === undefined ? "undefined" : "an object"}`,
        "give a number, a string, a bigint, a boolean, a Uint8Array or null",
      );
  }
}

function usage(message: string, hint = ""): TidemarkError {
  return new TidemarkError("usage", message, { hint });
}
