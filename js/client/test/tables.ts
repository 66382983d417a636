import type { Column, Table } from "../src/schema.ts";

/** A column of this name. */
export function columnOf(name: string, more: Partial<Column> = {}): Column {
  return {
    ...{ name, type: "", affinity: 0, collation: "BINARY", notNull: false, default: "" },
    ...{ policy: "", custom: "", group: "", ...more },
  };
}

/** A table whose key has these collations, with columns k0, k1, ..., and then these columns. */
export function tableOf(o: { id?: number; name?: string; key: string[]; columns?: Column[] }): Table {
  const key = o.key.map((collation, i) => columnOf(`k${i}`, { collation }));
  return {
    ...{ id: o.id ?? 1, name: o.name ?? "t", sql: "", columns: [...key, ...(o.columns ?? [])], key: [...key.keys()] },
    ...{
      rowidAlias: false,
      withoutRowid: false,
      strict: false,
      autoincrement: false,
      uniques: [],
      foreignKeys: [],
      out: "",
    },
    policy: { columns: "", onDelete: "", onInsert: "", onUnique: "", keep: "", keepFor: 0, maxSkew: 0, lease: 0 },
  };
}
