/** Writes an SQL identifier. It is the only function that does. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
