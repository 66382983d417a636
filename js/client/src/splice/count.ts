/** Whether each unit of a string is a code point, so that positions are offsets. Where all is ASCII or Latin-1 it costs nothing. */
export function flat(s: string): boolean {
  return !/[\ud800-\udbff]/.test(s);
}

/** The number of code points. */
export function count(s: string): number {
  let n = s.length;
  if (flat(s)) return n;
  for (let i = s.length - 1; i >= 0; i--) if ((s.charCodeAt(i) & 0xfc00) === 0xd800) n--;
  return n;
}

/**
 * Where in a string the n-th code point behind an offset begins; -1 when there
 * are fewer. `plain` says that the string is flat.
 */
export function offset(s: string, from: number, n: number, plain: boolean): number {
  if (plain) return from + n <= s.length ? from + n : -1;
  let at = from;
  for (; n > 0 && at < s.length; n--) at += (s.charCodeAt(at) & 0xfc00) === 0xd800 ? 2 : 1;
  return n > 0 ? -1 : at;
}
