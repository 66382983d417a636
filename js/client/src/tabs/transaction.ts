import type { ExecResult, Param, RawResult, Row, Transaction } from "../database.ts";
import { TidemarkError } from "../error.ts";
import { id } from "../id.ts";
import type { CallOptions } from "../options.ts";
import { type Query, queryOf } from "../sql.ts";
import { decodeError } from "./errors.ts";
import type { Link } from "./link.ts";
import type { Executed, Step, StepResult, TransactionAnswer } from "./messages.ts";
import { executed, rowsOf } from "./tab.ts";

type First = TemplateStringsArray | string | Query;

/**
 * A transaction as its function sees it. It knows all its steps and a mark of
 * what came of them, so that any worker can go on with it, or can tell that
 * what it read is not so any more.
 */
export class TabTransaction implements Transaction {
  /** What it read was changed by somebody: its function must run again. */
  changed = false;
  readonly #link: Link;
  readonly #options: CallOptions;
  readonly #bigint: boolean;
  readonly #id = id();
  readonly #steps: Step[] = [];
  #mark = "";
  /** Why it cannot go on: a step had no answer, so nobody knows what it did. */
  #failed: unknown = null;
  #over = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(link: Link, options: CallOptions, bigint: boolean) {
    this.#link = link;
    this.#options = options;
    this.#bigint = bigint;
  }

  async exec<T = Row>(first: First, ...rest: unknown[]): Promise<ExecResult<T>> {
    return executed<T>(await this.#step(first, rest, false));
  }

  async query<T = Row>(first: First, ...rest: unknown[]): Promise<T[]> {
    return rowsOf<T>(await this.#step(first, rest, true));
  }

  async queryOne<T = Row>(first: First, ...rest: unknown[]): Promise<T | undefined> {
    return (await this.query<T>(first, ...rest))[0];
  }

  raw(sql: string, params: readonly Param[] = []): Promise<RawResult> {
    return this.#step(sql, [params], false);
  }

  /** Makes it durable, once. What only read needs no end. */
  async commit(): Promise<void> {
    await this.#last;
    if (this.#failed !== null) throw this.#failed;
    this.#over = true;
    if (this.#steps.every((s) => s.reads)) this.#drop();
    else await this.#send([], true);
  }

  rollback(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#steps.length > 0) this.#drop();
  }

  #drop(): void {
    this.#link.call("rollback", this.#id).catch(() => {});
  }

  async #step(first: First, rest: readonly unknown[], reads: boolean): Promise<Executed> {
    if (this.#over)
      throw new TidemarkError("usage", "the transaction is over", {
        hint: "wait for each of its calls inside the function",
      });
    const { query } = queryOf(first, rest);
    const result = this.#last.then(() => this.#send([{ ...query, bigint: this.#bigint, reads }], false));
    this.#last = result.catch(() => {});
    const one = (await result)[0]!;
    if ("error" in one) throw decodeError(one.error);
    return one.done;
  }

  async #send(steps: Step[], commit: boolean): Promise<readonly StepResult[]> {
    if (this.#failed !== null) throw this.#failed;
    try {
      return await this.#ask(steps, commit);
    } catch (err) {
      this.#failed = err;
      throw err;
    }
  }

  async #ask(steps: Step[], commit: boolean): Promise<readonly StepResult[]> {
    const known = this.#steps.length;
    this.#steps.push(...steps);
    const ask = (from: number): Promise<TransactionAnswer> =>
      this.#link.call(
        "transaction",
        { id: this.#id, from, known, mark: this.#mark, steps: this.#steps.slice(from), commit },
        this.#options,
      );
    let answer = await ask(known);
    if (answer === "gone") answer = await ask(0);
    if (typeof answer === "string") {
      this.changed = true;
      throw changedOften();
    }
    this.#mark = answer.mark;
    return answer.results;
  }
}

/** Reaches the app only when running again did not help. */
function changedOften(): TidemarkError {
  return new TidemarkError("busy", "what the transaction read was changed by others each time", {
    hint: "read less in it, or decide by what its statements themselves find; it must not use random values that come back",
  });
}
