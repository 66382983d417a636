/** One replacement in a text: what stood between two places became something else. */
interface Splice {
  readonly at: number;
  readonly deleted: number;
  readonly inserted: string;
}

/** The one replacement that makes b of a, as short as it can be; null for none. */
export function spliceOf(a: string, b: string): Splice | null {
  if (a === b) return null;
  let at = 0;
  while (at < a.length && at < b.length && a[at] === b[at]) at++;
  if (at > 0 && (second(a, at) || second(b, at))) at--;
  let tail = 0;
  while (tail < a.length - at && tail < b.length - at && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  if (tail > 0 && (second(a, a.length - tail) || second(b, b.length - tail))) tail--;
  return { at, deleted: a.length - at - tail, inserted: b.slice(at, b.length - tail) };
}

/** Whether the second half of a character that takes two places stands here: nothing may come between the halves. */
function second(text: string, at: number): boolean {
  const unit = text.charCodeAt(at);
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** Where a place in the old text is after the replacement. */
export function shift(place: number, s: Splice | null): number {
  if (!s || place <= s.at) return place;
  if (place < s.at + s.deleted) return s.at + s.inserted.length;
  return place + s.inserted.length - s.deleted;
}

/**
 * Puts what was typed since base on top of a text that came meanwhile. Where
 * both replaced the same piece, both insertions stay, theirs first.
 */
export function rebaseDraft(base: string, draft: string, incoming: string): string {
  const mine = spliceOf(base, draft);
  const theirs = spliceOf(base, incoming);
  if (!mine) return incoming;
  if (!theirs) return draft;
  const from = shift(mine.at, theirs);
  const to = Math.max(from, shift(mine.at + mine.deleted, theirs));
  // An end within what they replaced must not take away what they wrote.
  const end = overlaps(mine, theirs) ? from : to;
  return incoming.slice(0, from) + mine.inserted + incoming.slice(end);
}

function overlaps(a: Splice, b: Splice): boolean {
  return a.at < b.at + b.deleted && b.at < a.at + a.deleted;
}
