import { expect, test } from "vitest";
import { id } from "../../src/id.ts";
import { checked, queryOf, sql } from "../../src/sql.ts";
import { Address } from "../../src/sync/address.ts";
import { codeOf } from "./fixture.ts";

test("values of a template become parameters, queries a part of the text", () => {
  const open = sql`done = ${false}`;
  expect(sql`SELECT * FROM task WHERE ${open} AND id > ${"x'; DROP TABLE task"} LIMIT ${5}`).toEqual({
    sql: "SELECT * FROM task WHERE done = ? AND id > ? LIMIT ?",
    params: [false, "x'; DROP TABLE task", 5],
  });
  expect(queryOf("SELECT ?", [[1], { deadline: 5 }])).toEqual({
    query: { sql: "SELECT ?", params: [1] },
    options: { deadline: 5 },
  });
  expect(queryOf(open, [])).toEqual({ query: open });
});

test("what SQLite cannot hold does not leave the tab", () => {
  const refused = [Number.NaN, undefined, {}, new Date(), Symbol("x"), "half \ud83d", 2n ** 63n, () => 1];
  for (const v of refused) expect(() => checked({ sql: "SELECT ?", params: [v as never] })).toThrow(/^parameter 1/);
  expect(() => checked({ sql: "SELECT '\udc00'", params: [] })).toThrow("well-formed");
  const fine = [null, 0, -0, 1.5, Number.POSITIVE_INFINITY, 2n ** 63n - 1n, "😀", new Uint8Array(), true];
  expect(checked({ sql: "SELECT ?", params: fine }).params).toBe(fine);
});

test("ids come in order and never twice", () => {
  const many = Array.from({ length: 20_000 }, id);
  expect(new Set(many).size).toBe(many.length);
  expect([...many].sort()).toEqual(many);
  for (const one of many.slice(0, 50))
    expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("addresses are taken in every form that names a space", () => {
  const base = "https://h.example:8443/v1/spaces/my%20shop";
  for (const text of [base, "https://h.example:8443/my%20shop", "wss://h.example:8443/my%20shop/", `${base}/`])
    expect(new Address(text)).toMatchObject({ base, space: "my shop" });
  expect(new Address("http://h/below/v1/spaces/x").base).toBe("http://h/below/v1/spaces/x");
  expect(new Address("http://h/below/x").socket).toBe("ws://h/below/v1/spaces/x/ws");
  expect(new Address("/x", "https://h/page/of?the=app").base).toBe("https://h/v1/spaces/x");
  expect(codeOf(() => new Address("https://", "https://h/page"))).toBe("usage");
  for (const text of ["h/x", "http://h/", "ftp://h/x", "http://h/x?y=1", "http://u:p@h/x", "http://h/%e0%a4"])
    expect(codeOf(() => new Address(text))).toBe("usage");
});
