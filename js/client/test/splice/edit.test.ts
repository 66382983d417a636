import fc from "fast-check";
import { expect, test } from "vitest";
import { bare } from "../../src/splice/apply.ts";
import { editBody, parseBody, parseEdit, patchBody } from "../../src/splice/edit.ts";
import { drafts, patchOf, texts } from "./texts.ts";

test("edits are read as they were written", () => {
  const after = fc.constantFrom(0, 1, 12, Number.MAX_SAFE_INTEGER);
  fc.assert(
    fc.property(texts, drafts, fc.option(drafts), after, (text, x, y, n) => {
      const p = patchOf(text, x);
      const e = { patch: bare(p), after: n, on: y && n > 0 ? bare(patchOf(text, y)) : null };
      expect(() => JSON.parse(editBody(e))).not.toThrow();
      expect(parseEdit(editBody(e))).toEqual(e);
      expect(parseBody(patchBody(p, true))).toEqual(p);
      expect(parseBody(patchBody(p, false))).toEqual(bare(p));
    }),
  );
});

const noEdits = [
  ...["", "{", "{}", "null", "[]", '{"s":[]', '{"s":[]} ', ' {"s":[]}', '{"s":[],}', '{"s": []}'],
  ...['{"s":[[0,0,"a"],]}', '{"s":[[0,0,"a"][3,0,"b"]]}', '{"s":[[0,0]]}', '{"s":[[0,1,"a","b"]]}'],
  ...['{"s":[[0,0,""]]}', '{"s":[[0,1,"a"],[1,1,""]]}', '{"s":[[1,0,"a"],[1,0,"b"]]}', '{"s":[[5,0,"a"],[1,0,"b"]]}'],
  ...['{"s":[[-1,0,"a"]]}', '{"s":[[01,0,"a"]]}', '{"s":[[1.0,0,"a"]]}', '{"s":[[1e2,0,"a"]]}', '{"s":[[,0,"a"]]}'],
  ...['{"s":[[2147483648,0,"a"]]}', '{"s":[[2147483647,1,"a"]]}', '{"s":[[99999999999999999999,0,"a"]]}'],
  ...['{"s":[[0,0,"\u0001"]]}', '{"s":[[0,0,"\\ud800"]]}', '{"s":[[0,0,"\\udc00"]]}', '{"s":[[0,0,"\\x41"]]}'],
  ...['{"s":[[0,0,"\\u12"]]}', '{"s":[[0,0,"a]]}', '{"s":[[0,0,"\\', '{"s":[],"after":0}', '{"s":[],"after":-1}'],
  ...['{"s":[],"after":9007199254740992}', '{"s":[],"on":[]}', '{"s":[],"on":[],"after":1}'],
  ...['{"s":[],"after":1,"on":[[0,1,"a"],[1,1,""]]}', '{"s":[],"after":1,"on":null}', `{"s":${"[".repeat(1 << 16)}`],
];

test.each(noEdits.map((body) => [body.slice(0, 60), body]))("is no edit: %s", (_, body) => {
  expect(() => parseEdit(body)).toThrow();
});

const noPatches = ['{"s":[[0,1,"a","bc"]]}', '{"s":[[0,1,"a",""]]}', '{"s":[[0,0,"a","b"]]}', '{"s":[],"after":1}'];

test.each(noPatches)("is no patch: %s", (body) => {
  expect(() => parseBody(body)).toThrow();
});
