import { type Token, tokens } from "../schema/token.ts";

/** A condition `column = ?` that every row of a result meets: the column, and the place of its parameter. */
export interface Condition {
  readonly column: string;
  readonly param: number;
}

/** Words that make a query more than the rows of one table that meet a condition, or AND more than a conjunction. */
const HARD =
  /^(union|intersect|except|group|having|distinct|offset|join|over|window|with|or|between|case|values|indexed)$/;

/** A query that gives rows of one table, unchanged, filtered, ordered, limited. */
export interface Form {
  /** A row that is not in the result and does not meet them cannot come into it. */
  readonly conditions: readonly Condition[];
  /** The query without order and limit, and how many parameters that has. */
  readonly rows: string;
  readonly params: number;
  /** From FROM to its end: what says which rows there are, in which order. */
  readonly rest: string;
  readonly limited: boolean;
  /** Whether numbers stand in the order: they name columns of the result. */
  readonly numbers: boolean;
}

/** A token, with keywords in lower case, and how deep in parentheses it stands. */
interface Word extends Token {
  readonly depth: number;
}

function wordsOf(sql: string): Word[] {
  let depth = 0;
  const words = tokens(sql).map((t) => {
    if (t.text === ")") depth--;
    return { ...t, text: t.text.toLowerCase(), depth: t.text === "(" ? depth++ : depth };
  });
  while (words.at(-1)?.text === ";") words.pop();
  return words;
}

/** The form of a query; null for what is not of this form, and when in doubt. */
export function formOf(sql: string): Form | null {
  const words = wordsOf(sql);
  const at = (word: string): number => words.findIndex((t) => t.depth === 0 && t.text === word);
  const [from, where, limit] = [at("from"), at("where"), at("limit")];
  const hard = (t: Word): boolean => (t.depth === 0 ? HARD.test(t.text) || t.text === ";" : t.text === "select");
  if (words[0]?.text !== "select" || from < 0 || words.some(hard)) return null;
  if (words.slice(0, from).some((t) => t.text === "(" || t.text === "?")) return null;
  if (words.some((t, i) => /^[:@$#]/.test(t.text) || (t.text === "?" && isNumber(words[i + 1])))) return null;
  if (limit >= 0 && words.slice(limit).some((t) => t.text === ",")) return null;
  const tail = words.findIndex((t, i) => i > from && t.depth === 0 && (t.text === "order" || t.text === "limit"));
  const end = tail < 0 ? words.length : tail;
  const source = words.slice(from + 1, where < 0 ? end : where);
  if (source.length < 1 || source.length > 3 || source.some((t) => t.name === "")) return null;
  const last = words.at(-1)!;
  return {
    conditions: where < 0 ? [] : termsOf(words.slice(where + 1, end)),
    rows: sql.slice(0, tail < 0 ? last.end : words[tail]!.start),
    params: words.slice(0, end).filter((t) => t.text === "?").length,
    rest: sql.slice(words[from]!.start, last.end),
    limited: limit >= 0,
    numbers: words.slice(end, limit < 0 ? words.length : limit).some(isNumber),
  };
}

const isNumber = (t: Token | undefined): boolean => /^\.?\d/.test(t?.text ?? "");

/** The conditions among the terms of a conjunction. */
function termsOf(words: readonly Word[]): Condition[] {
  const found: Condition[] = [];
  let term: Word[] = [];
  let params = 0;
  let before = 0;
  const note = (): void => {
    if (term[1]?.text === ".") term = term.slice(2);
    const [column, ...rest] = term;
    const is = rest.map((t) => t.text).join("");
    if (column?.name && (is === "=?" || is === "==?")) found.push({ column: column.name, param: before });
    term = [];
    before = params;
  };
  for (const t of words) {
    if (t.text === "?") params++;
    if (t.depth === 0 && t.text === "and") note();
    else term.push(t);
  }
  note();
  return found;
}
