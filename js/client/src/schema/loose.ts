import { place, type Table } from "../schema.ts";
import { type Token, tokens } from "./token.ts";

/** A piece of a text. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * The definition of a table without its loose foreign keys, as a replica makes
 * it; the definition as it stands where none is loose. The server has asked SQLite
 * whether everything else is as it was.
 */
export function looseSQL(t: Table): string {
  if (!t.foreignKeys.some((fk) => fk.loose)) return t.sql;
  const toks = tokens(t.sql);
  const parts = partsOf(toks);
  const refs = parts.flatMap(([from, to]) => (aboutTable(toks[from]!) ? tableKeys : columnKeys)(toks, from, to));
  if (refs.length !== t.foreignKeys.length) {
    throw new Error(`the definition of table ${t.name} has ${refs.length} foreign keys, not ${t.foreignKeys.length}`);
  }
  const cut = t.foreignKeys.flatMap((fk, i) => (fk.loose ? refs[i]! : []));
  // A comma in front of a part of which nothing is left goes too. The first part is a column, of which something always is.
  const inside = (x: Token): boolean => cut.some((c) => c.start <= x.start && x.end <= c.end);
  const commas = parts.flatMap(([from, to]) => (toks.slice(from, to).every(inside) ? [toks[from - 1]!] : []));
  return without(t.sql, [...cut, ...commas]);
}

/** Takes the loose foreign keys out of definitions of columns that were added to a table. */
export function looseDefs(t: Table, defs: readonly string[]): string[] {
  return defs.map((def) => {
    const toks = tokens(def);
    const column = place(t, toks[0]?.name ?? "");
    const refs = columnKeys(toks, 0, toks.length);
    const keys = t.foreignKeys.filter((fk) => fk.columns.length === 1 && fk.columns[0] === column);
    const loose = (j: number): boolean => keys[keys.length - refs.length + j]?.loose ?? false;
    return without(
      def,
      refs.flatMap((spans, j) => (loose(j) ? spans : [])),
    );
  });
}

/** Cuts pieces out of a text. A space stays in the place of each, so that what stood around it does not grow together. */
function without(sql: string, cut: readonly Span[]): string {
  let out = "";
  let end = 0;
  for (const c of [...cut].sort((a, b) => a.start - b.start)) {
    out += sql.slice(end, c.start).replace(/ +$/, "");
    if (c.end < sql.length && !" ,)".includes(sql[c.end]!)) out += " ";
    end = c.end;
  }
  return out + sql.slice(end);
}

const is = (t: Token | undefined, ...words: string[]): boolean =>
  t !== undefined && words.includes(t.text.toUpperCase());

/** What stands between the commas of the first list: from a token, to one. */
function partsOf(toks: readonly Token[]): [from: number, to: number][] {
  const open = toks.findIndex((t) => is(t, "("));
  const close = parenEnd(toks, open);
  const parts: [number, number][] = [];
  for (let from = open + 1, i = from; i <= close; i++) {
    if (is(toks[i], "(")) i = parenEnd(toks, i);
    else if (i === close || is(toks[i], ",")) {
      parts.push([from, i]);
      from = i + 1;
    }
  }
  return parts;
}

/** Finds the ) of the ( at i. */
function parenEnd(toks: readonly Token[], i: number): number {
  for (let depth = 0; i < toks.length; i++) {
    if (is(toks[i], "(")) depth++;
    else if (is(toks[i], ")") && --depth === 0) return i;
  }
  return toks.length - 1;
}

/** None of these words can be the name of a column without quotes. */
const aboutTable = (t: Token): boolean => is(t, "CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN");

/**
 * The REFERENCES clauses of a column. What stands there of DEFERRABLE, also behind
 * other constraints, is of the last clause before it.
 */
function columnKeys(toks: readonly Token[], from: number, to: number): Span[][] {
  const refs: Span[][] = [];
  for (let i = from; i < to; i++) {
    const late = deferrable(toks, i, to);
    if (is(toks[i], "(")) i = parenEnd(toks, i);
    else if (is(toks[i], "REFERENCES")) {
      const end = clauseEnd(toks, i, to);
      refs.push([span(toks, named(toks, i, from + 1), end)]);
      i = end - 1;
    } else if (late > i) {
      refs.at(-1)?.push(span(toks, i, late));
      i = late - 1;
    }
  }
  return refs;
}

/** The FOREIGN KEY constraints among those between two commas: SQLite needs no comma between constraints. */
function tableKeys(toks: readonly Token[], from: number, to: number): Span[][] {
  const refs: Span[][] = [];
  for (let i = from; i < to; i++) {
    if (is(toks[i], "(")) i = parenEnd(toks, i);
    else if (is(toks[i], "FOREIGN")) {
      let end = i;
      while (end < to && !is(toks[end], "REFERENCES")) end++;
      end = clauseEnd(toks, end, to);
      end = Math.max(end, deferrable(toks, end, to));
      refs.push([span(toks, named(toks, i, from), end)]);
      i = end - 1;
    }
  }
  return refs;
}

const span = (toks: readonly Token[], from: number, to: number): Span => ({
  start: toks[from]!.start,
  end: toks[to - 1]!.end,
});

/** Goes back over CONSTRAINT NAME in front of a constraint. */
function named(toks: readonly Token[], i: number, least: number): number {
  while (i - 2 >= least && is(toks[i - 2], "CONSTRAINT")) i -= 2;
  return i;
}

/** Finds the end of REFERENCES parent (columns) ON ... MATCH ... */
function clauseEnd(toks: readonly Token[], i: number, to: number): number {
  i += 2; // REFERENCES and the name
  if (i < to && is(toks[i], "(")) i = parenEnd(toks, i) + 1;
  while (i < to) {
    if (is(toks[i], "MATCH")) i += 2;
    else if (is(toks[i], "ON") && i + 2 < to) i += is(toks[i + 2], "SET", "NO") ? 4 : 3;
    else return i;
  }
  return to;
}

/** Finds the end of [NOT] DEFERRABLE [INITIALLY WHEN] at i, or gives i. */
function deferrable(toks: readonly Token[], i: number, to: number): number {
  let n = i;
  if (n < to && is(toks[n], "NOT")) n++;
  if (n >= to || !is(toks[n], "DEFERRABLE")) return i;
  if (++n + 1 < to && is(toks[n], "INITIALLY")) n += 2;
  return Math.min(n, to);
}
