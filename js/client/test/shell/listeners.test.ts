import { afterEach, expect, test, vi } from "vitest";
import { type Listeners, listen, tell } from "../../src/tabs/listeners.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

test("a function that listens twice is taken away once at a time, and not called after that", () => {
  const all: Listeners<number> = new Set();
  const heard: string[] = [];
  const fn = (n: number): number => heard.push(`${n}`);
  const [first, second] = [listen(all, fn), listen(all, fn)];
  tell(all, 1);
  first();
  tell(all, 2);
  listen(all, () => stop());
  const stop = listen(all, (n) => heard.push(`late ${n}`));
  tell(all, 3);
  second();
  tell(all, 4);
  expect(heard).toEqual(["1", "1", "2", "3"]);
});

test("one that throws stops no other", () => {
  const errors: unknown[] = [];
  vi.stubGlobal("reportError", (err: unknown) => errors.push(err));
  const all: Listeners<number> = new Set();
  const heard: number[] = [];
  listen(all, () => {
    throw new Error("mine");
  });
  listen(all, (n) => heard.push(n));
  tell(all, 1);
  expect([heard, errors]).toEqual([[1], [new Error("mine")]]);
});
