import { foldName } from "../schema.ts";

/** One lexical element of SQL; space and comments are none. */
export interface Token {
  readonly text: string;
  /** The identifier that it writes, unquoted; "" for other tokens. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

// In this order: space and comments; strings; names in quotes; numbers; words; one character of anything else.
const lexeme =
  /[ \t-\r]+|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|([xX]?'[^']*(?:''[^']*)*'?)|("[^"]*(?:""[^"]*)*"?|`[^`]*(?:``[^`]*)*`?|\[[^\]]*\]?)|\.?\d(?:[eE][+-]|[\w$.\x80-\uffff])*|([\w$\x80-\uffff]+)|[\s\S]/y;

/**
 * Splits SQL text. It knows enough of the grammar to find commas, parentheses
 * and names; text that SQLite itself accepted never confuses it.
 */
export function tokens(sql: string): Token[] {
  const out: Token[] = [];
  lexeme.lastIndex = 0;
  for (let start = 0, m = lexeme.exec(sql); m; start = lexeme.lastIndex, m = lexeme.exec(sql)) {
    const [text, , quoted, word] = m;
    if (/^(?:[ \t-\r]|--|\/\*)/.test(text)) continue;
    out.push({ text, name: quoted ? unquote(quoted) : (word ?? ""), start, end: lexeme.lastIndex });
  }
  return out;
}

function unquote(s: string): string {
  const q = s[0]!;
  const inner = s.slice(1, -1);
  return q === "[" ? inner : inner.replaceAll(q + q, q);
}

/** Every name that a piece of SQL mentions, in lower case: of columns, tables and functions, and keywords with them. */
export function namesIn(sql: string): Set<string> {
  return new Set(tokens(sql).flatMap((t) => (t.name ? [foldName(t.name)] : [])));
}

/** A parenthesised list: its parts, and what stands around it. */
export interface List {
  readonly before: string;
  readonly parts: string[];
  readonly after: string;
}

/** Splits the first parenthesised list of a text; null where there is none. */
export function listIn(sql: string): List | null {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  let before = "";
  for (const t of tokens(sql)) {
    const part = (): string => sql.slice(start, t.start).trim();
    if (t.text === "(" && depth++ === 0) {
      start = t.end;
      before = sql.slice(0, t.start);
    } else if (t.text === ")" && --depth === 0) {
      return { before, parts: [...parts, part()], after: sql.slice(t.end) };
    } else if (t.text === "," && depth === 1) {
      parts.push(part());
      start = t.end;
    }
  }
  return null;
}
