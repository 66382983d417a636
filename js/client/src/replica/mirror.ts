import { byModule, environment, violation } from "../lite/failure.ts";
import { quote } from "../lite/quote.ts";
import type { Work } from "../lite/work.ts";
import { triggersIn } from "../schema/trigger.ts";
import { sameName, type Table } from "../schema.ts";
import type { Replica } from "./replica.ts";

const prefix = "_tm_mirror_";

/** One of the app's triggers that fires everywhere, as a TEMP trigger. */
export interface Mirror {
  readonly trigger: string;
  readonly sql: string;
}

/**
 * Finds those of the app's triggers that write only unsynced tables, such as
 * the upkeep of a full-text index. The triggers in the file are off while the
 * engine writes; TEMP triggers made of these fire in their place.
 */
export function findMirrors(r: Replica): void {
  r.mirrors = [];
  r.left = [];
  const sql = "SELECT count(*) FROM main.sqlite_master WHERE type = 'trigger' AND substr(name, 1, 4) <> '_tm_'";
  if (r.db.int(sql) === 0) return;
  triggersIn(r.db, r.server).forEach((t, i) => {
    if (t.class !== "everywhere") return;
    const why = r.muted.get(t.table.toLowerCase());
    if (why === undefined) r.mirrors.push({ trigger: t.name, sql: mirrorSQL(`${prefix}${i + 1}`, t.sql) });
    else r.left.push(`trigger ${t.name}: ${why}`);
  });
}

/** Makes the TEMP triggers; `dropMirrors` takes them off before the transaction ends. */
export function makeMirrors(r: Replica): void {
  r.mirrors = r.mirrors.filter((m) => {
    try {
      r.db.script(m.sql);
      return true;
    } catch (err) {
      if (environment(err)) throw err;
      r.left.push(`trigger ${m.trigger}: ${err instanceof Error ? err.message : err}`);
      return false;
    }
  });
}

/** Looks at the app's triggers anew and mirrors them. */
export function mirror(r: Replica): void {
  findMirrors(r);
  makeMirrors(r);
}

export function dropMirrors(r: Replica): void {
  if (r.mirrors.length === 0) return;
  const names: string[] = [];
  r.db.each("SELECT name FROM temp.sqlite_master WHERE type = 'trigger'", (s) => names.push(s.text(0)));
  for (const name of names) if (name.startsWith(prefix)) r.db.run(`DROP TRIGGER temp.${quote(name)}`);
}

/** Says that not the row was refused, but, as it seems, one of the mirrored triggers could not do its work. */
export class MirrorFailure extends Error {
  readonly table: string;

  constructor(table: string, cause: unknown) {
    super(`a trigger on ${table} failed: ${cause instanceof Error ? cause.message : cause}`, { cause });
    this.table = table;
  }
}

/**
 * Tells a refusal of the row from the failure of a mirrored trigger and gives
 * what is to be thrown: while the engine writes nothing else raises, nothing
 * else writes another table, and no other write of a row fails for a reason of
 * neither the row nor the machine.
 */
export function blame(t: Table, err: unknown): unknown {
  const v = violation(err);
  if (!v) return environment(err) ? err : new MirrorFailure(t.name, err);
  const table = v.detail.table ?? "";
  const ours = table === "" || sameName(table, t.name) || t.name.includes(".");
  return v.code !== "raised" && !byModule(err) && ours ? err : new MirrorFailure(t.name, err);
}

/**
 * Does the work again without the app's triggers that fire everywhere on a
 * table, when one of them could not do its own. A full-text index that lags
 * behind must not stop syncing; `skipped` tells of it.
 */
export function* withoutMirrors<T>(r: Replica, work: () => Work<T>): Work<T> {
  const muted: string[] = [];
  for (;;) {
    try {
      return yield* work();
    } catch (err) {
      const m = err instanceof Error && err.cause instanceof MirrorFailure ? err.cause : err;
      if (!(m instanceof MirrorFailure)) throw err;
      const name = m.table.toLowerCase();
      if (r.muted.has(name) || r.mirrors.length + muted.length === 0) {
        // It fails without them too: they are not to blame.
        for (const table of muted) r.muted.delete(table);
        throw err;
      }
      r.muted.set(name, m.message);
      muted.push(name);
    }
  }
}

/** Gives a trigger's text, as SQLite keeps it, another name and makes it temporary. */
export function mirrorSQL(name: string, sql: string): string {
  const rest = sql.trim().replace(/^CREATE\s*TRIGGER\s*/i, "");
  const old = /^("(""|[^"])*"?|`(``|[^`])*`?|'(''|[^'])*'?|\[[^\]]*\]?|[^ \t\r\n\f/-]*)/.exec(rest)?.[0] ?? "";
  return `CREATE TEMP TRIGGER ${quote(name)} ${rest.slice(old.length)}`;
}
