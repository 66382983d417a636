import { corrupt, environment, notADatabase } from "../lite/failure.ts";
import { encodeError } from "../tabs/errors.ts";
import type { Step, StepResult, TransactionAnswer, TransactionStep } from "../tabs/messages.ts";
import { markOf } from "./answers.ts";
import { ended, explained, type Statements } from "./statements.ts";

/** How long a transaction stays open for its next step, milliseconds. */
const SILENCE = 50;

/** How a transaction is begun and ended on the replica. */
export interface Ends {
  begin(): void;
  commit(tab: string, call: number, answer: unknown): void;
  rollback(): void;
}

interface Open {
  readonly id: string;
  count: number;
  mark: string;
}

/**
 * The transaction that a tab has open, if any. It is a cache and nothing more:
 * whatever else wants the database rolls it back, and its tab then sends all
 * steps again. Only what it has in hand when it commits counts.
 */
export class Transactions {
  readonly #statements: Statements;
  readonly #ends: Ends;
  #open: Open | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(statements: Statements, ends: Ends) {
    this.#statements = statements;
    this.#ends = ends;
  }

  /** Whether there is one. */
  get open(): boolean {
    return this.#open !== null;
  }

  /** Gives the database free. */
  yield(): void {
    clearTimeout(this.#timer);
    if (this.#open === null) return;
    this.#open = null;
    this.#ends.rollback();
  }

  /** Gives up one transaction. */
  drop(id: string): void {
    if (this.#open?.id === id) this.yield();
  }

  take(tab: string, call: number, t: TransactionStep): TransactionAnswer {
    clearTimeout(this.#timer);
    let open = this.#open;
    if (open?.id !== t.id || open.count !== t.from || open.mark !== (t.from === 0 ? "" : t.mark)) {
      this.yield();
      if (t.from !== 0) return "gone";
      this.#ends.begin();
      open = this.#open = { id: t.id, count: 0, mark: "" };
    }
    const results: StepResult[] = [];
    try {
      for (const step of t.steps) {
        if (open.count === t.known && open.mark !== t.mark) return this.#changed();
        results.push(this.#step(open, step));
      }
      if (open.count === t.known && open.mark !== t.mark) return this.#changed();
      const answer = { results: results.slice(Math.max(0, t.known - t.from)), mark: open.mark };
      if (t.commit) {
        this.#open = null;
        this.#ends.commit(tab, call, answer);
      } else {
        this.#timer = setTimeout(() => this.yield(), SILENCE);
      }
      return answer;
    } catch (err) {
      this.#open = null;
      this.#ends.rollback();
      throw err;
    }
  }

  #changed(): TransactionAnswer {
    this.yield();
    return "changed";
  }

  #step(open: Open, step: Step): StepResult {
    let result: StepResult;
    try {
      const done = step.reads
        ? { ...this.#statements.query(step), changes: 0, lastId: 0 }
        : this.#statements.exec(step);
      result = { done };
    } catch (err) {
      // What has nothing to do with the statement is no result of it: done again, it comes out otherwise.
      if (environment(err) || corrupt(err) || notADatabase(err)) throw err;
      if (!this.#statements.db.inTransaction) throw ended();
      result = { error: encodeError(explained(err)) };
    }
    open.count++;
    open.mark = markOf(open.mark, result);
    return result;
  }
}
