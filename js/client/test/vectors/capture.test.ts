import { expect, test } from "vitest";
import { begin, clear, end } from "../../src/capture/capture.ts";
import { changesOf } from "../../src/capture/changes.ts";
import { install } from "../../src/capture/install.ts";
import { segments } from "../../src/capture/segment.ts";
import { Database } from "../../src/lite/database.ts";
import { loadSqlite } from "../../src/lite/load.ts";
import { place, type Schema } from "../../src/schema.ts";
import { hex } from "../../src/value.ts";
import { appendChanges } from "../../src/wire/changes.ts";
import { hashOf } from "../../src/wire/wire.ts";
import { inspect } from "../inspect.ts";
import { bytes, type Case, load } from "./vectors.ts";

interface CaptureCase extends Case {
  readonly sql: string[];
  readonly latest_edit?: string[];
  readonly read_only?: boolean;
  readonly triggers: string[];
  readonly writes?: { readonly sql: string; readonly salt: string; readonly body: string; readonly hash: string }[];
}

const sqlite = await loadSqlite();

function schemaOf(db: Database, c: CaptureCase): Schema {
  const s = inspect(db, new Map());
  const latest = (c.latest_edit ?? []).map((name) => name.split("."));
  const tables = s.tables.map((t) => {
    const places = latest.flatMap(([table, column]) => (table === t.name ? [place(t, column!)] : []));
    const columns = t.columns.map((col, i) => (places.includes(i) ? { ...col, policy: "latest-edit" as const } : col));
    return { ...t, columns };
  });
  return { ...s, tables };
}

test.each(load<CaptureCase>("capture.json"))("capture: $name", (c) => {
  const db = Database.open(sqlite, ":memory:");
  db.script(`PRAGMA foreign_keys = ON; ${c.sql.join(";\n")}`);
  const s = schemaOf(db, c);
  install(db, s, c.read_only === true);
  const triggers: string[] = [];
  const made = "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND substr(name, 1, 4) = '_tm_' ORDER BY name";
  db.each(made, (row) => triggers.push(row.text(0)));
  expect(triggers).toEqual(c.triggers);
  for (const w of c.writes ?? []) {
    const salt = bytes(w.salt);
    db.transaction(() => {
      const first = begin(db);
      db.script(w.sql);
      end(db, { first, salt, madeAt: 1, seen: 1 });
    });
    const told = segments(db, s);
    expect(told.map((x) => x.mark?.salt)).toEqual([salt]);
    const body = appendChanges(changesOf(told[0]!.rows));
    expect(new TextDecoder().decode(body)).toBe(w.body);
    expect(hex(hashOf(salt, body))).toBe(w.hash);
    clear(db);
  }
  db.close();
});
