import { type Cell, type Cells, keyOf, type Part } from "./difference.ts";

/** Primary keys of rows that left this device and were not deleted, by the names of their tables as declared. */
export type Left = ReadonlyMap<string, readonly Cells[]>;

/** Rows that left and are not told yet, of one query. */
export class Leavers {
  readonly #names = new Map<string, Set<Cell>>();

  add(left: Left): void {
    for (const [table, keys] of left) {
      let names = this.#names.get(table);
      if (!names) {
        names = new Set();
        this.#names.set(table, names);
      }
      for (const key of keys) names.add(nameOf(key));
    }
  }

  /**
   * The places of the old rows that are not in the new result, since a row that
   * they show left. `places` says where the primary keys of tables stand.
   */
  of(old: readonly Cells[], parts: readonly Part[], places: ReadonlyMap<string, readonly number[]>): number[] {
    const stays = new Uint8Array(old.length);
    for (const [at, what] of parts) {
      if (typeof what === "number") stays.fill(1, at, at + what);
      else if (at >= 0) stays[at] = 1;
    }
    const shown = [...places].flatMap(([table, at]) => {
      const names = this.#names.get(table);
      return names ? [{ names, at }] : [];
    });
    const gone = (row: Cells): boolean => shown.some(({ names, at }) => names.has(nameOf(at.map((i) => row[i]!))));
    return old.flatMap((row, i) => (stays[i] || !gone(row) ? [] : [i]));
  }
}

/** What a key is known by, whether its integers came as numbers or not. */
function nameOf(key: Cells): Cell {
  const plain = key.map((c) => (typeof c === "bigint" && Number.isSafeInteger(Number(c)) ? Number(c) : c));
  return keyOf(
    plain,
    plain.map((_, i) => i),
  );
}
