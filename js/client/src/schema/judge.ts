import { quote } from "../lite/quote.ts";

/**
 * An INSERT, an UPDATE of all columns and a DELETE: to compile them compiles
 * every trigger and constraint of the table. They are not meant to run.
 */
export function writes(table: string, columns: readonly { readonly name: string }[]): string[] {
  const name = `main.${quote(table)}`;
  const sets = columns.map((c) => `${quote(c.name)} = ${quote(c.name)}`);
  return [`INSERT INTO ${name} DEFAULT VALUES`, `UPDATE ${name} SET ${sets.join(", ")}`, `DELETE FROM ${name}`];
}
