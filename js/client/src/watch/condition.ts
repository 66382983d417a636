/** A condition `column = ?` that every row of a result meets: the column, and the place of its parameter. */
export interface Condition {
  readonly column: string;
  readonly param: number;
}

const TOKEN =
  /\s+|--[^\n]*|\/\*[\s\S]*?\*\/|("(?:[^"]|"")*"|`(?:[^`]|``)*`|\[[^\]]*\]|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|'(?:[^']|'')*'|\.?\d[\w.]*|\?\d*|[:@$#]\w+|[<>=!|]+|./g;

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

interface Token {
  readonly text: string;
  readonly at: number;
  /** The unquoted name; "" for what is none. */
  readonly name: string;
  readonly depth: number;
}

function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  for (const { 0: text, 1: word, index: at } of sql.matchAll(TOKEN)) {
    if (/^(\s|--|\/\*)/.test(text)) continue;
    if (text === ")") depth--;
    const name = word === undefined ? "" : /^["`[]/.test(word) ? word.slice(1, -1) : word;
    tokens.push({ text: word === undefined || name === word ? text.toLowerCase() : text, at, name, depth });
    if (text === "(") depth++;
  }
  while (tokens.at(-1)?.text === ";") tokens.pop();
  return tokens;
}

/** The form of a query; null for what is not of this form, and when in doubt. */
export function formOf(sql: string): Form | null {
  const tokens = tokensOf(sql);
  const at = (word: string): number => tokens.findIndex((t) => t.depth === 0 && t.text === word);
  const [from, where, limit] = [at("from"), at("where"), at("limit")];
  const hard = (t: Token): boolean => (t.depth === 0 ? HARD.test(t.text) || t.text === ";" : t.text === "select");
  if (tokens[0]?.text !== "select" || from < 0 || tokens.some(hard)) return null;
  if (tokens.slice(0, from).some((t) => t.text === "(" || t.text === "?")) return null;
  if (tokens.some((t) => /^([?]\d|[:@$#])/.test(t.text))) return null;
  if (limit >= 0 && tokens.slice(limit).some((t) => t.text === ",")) return null;
  const tail = tokens.findIndex((t, i) => i > from && t.depth === 0 && (t.text === "order" || t.text === "limit"));
  const end = tail < 0 ? tokens.length : tail;
  const source = tokens.slice(from + 1, where < 0 ? end : where);
  if (source.length < 1 || source.length > 3 || source.some((t) => t.name === "")) return null;
  const last = tokens.at(-1)!;
  return {
    conditions: where < 0 ? [] : termsOf(tokens.slice(where + 1, end)),
    rows: sql.slice(0, tail < 0 ? last.at + last.text.length : tokens[tail]!.at),
    params: tokens.slice(0, end).filter((t) => t.text === "?").length,
    rest: sql.slice(tokens[from]!.at, last.at + last.text.length),
    limited: limit >= 0,
    numbers: tokens.slice(end, limit < 0 ? tokens.length : limit).some((t) => /^\.?\d/.test(t.text)),
  };
}

function termsOf(tokens: readonly Token[]): Condition[] {
  const found: Condition[] = [];
  let term: Token[] = [];
  let params = 0;
  let before = 0;
  for (const t of [...tokens, { text: "and", at: 0, name: "and", depth: 0 }]) {
    if (t.text === "?") params++;
    if (t.depth > 0 || t.text !== "and") {
      term.push(t);
      continue;
    }
    if (term[1]?.text === ".") term = term.slice(2);
    const [column, is, value] = term;
    if (term.length === 3 && column?.name && /^={1,2}$/.test(is!.text) && value!.text === "?") {
      found.push({ column: column.name, param: before });
    }
    term = [];
    before = params;
  }
  return found;
}
