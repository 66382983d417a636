import { expect, test } from "vitest";
import { compose, transform } from "../../src/splice/algebra.ts";
import { apply } from "../../src/splice/apply.ts";
import { diff } from "../../src/splice/diff.ts";
import { editBody, parseBody, parseEdit, patchBody } from "../../src/splice/edit.ts";
import { Unfit } from "../../src/splice/splice.ts";
import { type Case, load } from "./vectors.ts";

/** What spec/README.md says of text.json. A chain is judged by a server: the Go side runs it. */
type TextCase = Case &
  Partial<Record<"before" | "after" | "diff" | "text" | "apply" | "gives" | "edit" | "log", string>> &
  Partial<Record<"first" | "second" | "composed" | "a" | "b" | "a_over_b" | "b_over_a", string>> & {
    chain?: { edit: string }[];
  };

const written = (body: string): string => patchBody(parseBody(body), true);

test.each(load<TextCase>("text.json"))("text: $name", (c) => {
  const { text, refused = [] } = c;
  if (c.before !== undefined && c.after !== undefined && c.diff !== undefined) {
    expect(patchBody(diff(c.before, c.after), true)).toBe(c.diff);
    expect(apply(parseBody(c.diff), c.before)).toBe(c.after);
  } else if (c.chain) {
    for (const step of c.chain) if (step.edit.includes("s")) expect(editBody(parseEdit(step.edit))).toBe(step.edit);
  } else if (c.apply !== undefined && text !== undefined) {
    expect(apply(parseBody(c.apply), text)).toBe(c.gives);
  } else if (text !== undefined && c.refused) {
    for (const body of refused) expect(() => apply(parseBody(body), text), body).toThrow(Unfit);
  } else if (c.composed !== undefined && c.first !== undefined && c.second !== undefined) {
    expect(patchBody(compose(parseBody(c.first), parseBody(c.second)), true)).toBe(c.composed);
  } else if (c.a !== undefined && c.b !== undefined) {
    carried(c, parseBody(c.a), parseBody(c.b));
  } else {
    expect(c.edit ?? c.log ?? refused[0]).toBeDefined();
    if (c.edit !== undefined) expect(editBody(parseEdit(c.edit))).toBe(c.edit);
    if (c.log !== undefined) expect(written(c.log)).toBe(c.log);
    for (const body of refused) expect(() => parseEdit(body), body).toThrow();
  }
});

function carried(c: TextCase, a: ReturnType<typeof parseBody>, b: ReturnType<typeof parseBody>): void {
  const [a1, b1] = transform(a, b, true);
  expect(patchBody(a1, true)).toBe(c.a_over_b);
  expect(patchBody(b1, true)).toBe(c.b_over_a);
  if (c.text === undefined) return;
  expect(apply(b1, apply(a, c.text))).toBe(c.gives);
  expect(apply(a1, apply(b, c.text))).toBe(c.gives);
}
