import { quote } from "../lite/quote.ts";
import { namesIn } from "../schema/token.ts";
import { foldName, type Unique } from "../schema.ts";
import { imageWhere, list, type Maker, matchKey, type Trigger } from "./triggers.ts";

/**
 * REPLACE evicts rows without firing delete triggers. The probes look, before
 * an INSERT or an UPDATE, for rows that hold the key or a unique value of the
 * new row and record them whole. A probe that finds too much does no harm.
 */
export function probes(m: Maker): Trigger[] {
  const uniques = m.table.uniques.map((u) => matchUnique(m, u));
  const out = [probe(m, "evi", "BEFORE INSERT", [matchKey(m, m.newValue), ...uniques])];
  if (uniques.length === 0) return out;
  const self = matchKey(m, (c) => `OLD.${m.column(c)}`);
  const cols = m.table.uniques.flatMap((u) => u.terms.map((t) => t.column));
  const event = cols.some((c) => c < 0) ? "BEFORE UPDATE" : `BEFORE UPDATE OF ${list(m, [...new Set(cols)])}`;
  const wheres = uniques.map((where) => `(${where}) AND NOT (${self})`);
  return [...out, probe(m, "evu", event, wheres)];
}

function probe(m: Maker, kind: string, event: string, wheres: readonly string[]): Trigger {
  const found = wheres.map((w) => `EXISTS (SELECT 1 FROM ${m.source} WHERE ${w})`).join(" OR ");
  return m.named(
    kind,
    event,
    found,
    wheres.flatMap((w) => imageWhere(m, w)),
  );
}

/**
 * The condition that a row of the table holds the unique value that NEW will
 * have. Of a partial index only the row's side counts.
 */
function matchUnique(m: Maker, u: Unique): string {
  const parts = u.terms.map(({ column, expr, collation }) => {
    const by = `COLLATE ${quote(collation)} =`;
    if (column >= 0) return `${m.prefix + m.column(column)} ${by} ${m.newValue(column)}`;
    return `(${expr}) ${by} (SELECT ${expr} FROM (SELECT ${newRow(m, expr)}))`;
  });
  return [...parts, ...(u.where ? [`(${u.where})`] : [])].join(" AND ");
}

/**
 * The columns of NEW that an indexed expression uses, under their own names, so
 * that the expression can be evaluated on them as it stands.
 */
function newRow(m: Maker, expr: string): string {
  const used = namesIn(expr);
  const vals = ["NULL"];
  for (const name of m.names) {
    if (!used.has(foldName(name))) continue;
    const c = m.table.columns.findIndex((x) => x.name === name);
    vals.push(`${c < 0 ? `NEW.${quote(name)}` : m.newValue(c)} AS ${quote(name)}`);
  }
  return vals.join(", ");
}
