// @vitest-environment happy-dom
import type { Database, ScopeStatus, Status } from "@tidemark/client";
import { type ScopeResult, TidemarkProvider, useScope, useScopes } from "@tidemark/react";
import { act, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { encodeError } from "../../client/src/tabs/errors.ts";
import { Link } from "../../client/src/tabs/link.ts";
import { TabSubscription } from "../../client/src/tabs/scopes.ts";
import { notGranted } from "../../client/src/worker/scopes.ts";
import { LINGER } from "../src/store.ts";

globalThis.IS_REACT_ACT_ENVIRONMENT = true;

let host: HTMLElement;
let root: Root;
let link: Link;
/** Calls to the worker: method, what for, and what answers them. */
let asked: { method: string; args: unknown; id: number }[];
let heard: Set<(s: Status) => void>;
let db: Database;

beforeEach(() => {
  vi.useFakeTimers();
  host = document.createElement("div");
  root = createRoot(host);
  asked = [];
  heard = new Set();
  link = new Link("tab-a", 1000, (_, up) => {
    if (up.type === "call") asked.push(up);
    else if (up.type === "cancel") asked = asked.filter((a) => a.id !== up.id);
  });
  link.follow("w1");
  // Scopes need no more of a database.
  const part: Pick<Database, "status" | "onStatus" | "subscribe"> = {
    status: { scopes: [] as ScopeStatus[] } as unknown as Status,
    onStatus: (fn) => {
      heard.add(fn);
      return () => void heard.delete(fn);
    },
    subscribe: (scope, options = {}) => new TabSubscription(link, db, scope, options),
  };
  db = part as Database;
});
afterEach(async () => {
  await act(async () => root.unmount());
  vi.useRealTimers();
});

const answer = (method: string, error?: unknown): Promise<void> =>
  act(async () => {
    const [a] = asked.filter((x) => x.method === method);
    asked = asked.filter((x) => x !== a);
    const { id } = a!;
    link.take(
      error === undefined
        ? { type: "answer", tab: "tab-a", id, result: null }
        : { type: "answer", tab: "tab-a", id, error: encodeError(error) },
    );
  });

const tell = (...scopes: (Partial<ScopeStatus> & { scope: string })[]): Promise<void> =>
  act(async () => {
    const none = { wanted: true, granted: false, ready: false, priority: 0, incoming: 0 };
    Object.assign(db, { status: { ...db.status, scopes: scopes.map((s) => ({ ...none, ...s })) } });
    for (const fn of heard) fn(db.status);
  });

let renders = 0;
let last: ScopeResult;

function Project({ scope, priority }: { scope: string | null; priority?: number }) {
  renders++;
  last = useScope(scope, priority === undefined ? {} : { priority });
  const all = useScopes();
  return <p>{`${last.ready} ${last.error?.code ?? ""} ${all.map((s) => s.scope).join()}`}</p>;
}

const show = (...scopes: (string | null)[]): Promise<void> =>
  act(async () =>
    root.render(
      <StrictMode>
        <TidemarkProvider database={db}>
          {scopes.map((s, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: two components may show one scope
            <Project key={i} scope={s} />
          ))}
        </TidemarkProvider>
      </StrictMode>,
    ),
  );

const methods = (): string[] => asked.map((a) => a.method);

test("a component subscribes, and renders when the scope fills and is ready", async () => {
  await show("project/42", "project/42");
  expect(asked.map((a) => [a.method, a.args])).toEqual([["subscribe", [{ scope: "project/42", priority: null }]]]);
  expect(last).toMatchObject({ ready: false, error: null, status: { scope: "project/42", wanted: false } });
  await answer("subscribe");
  expect(methods()).toEqual(["whole"]);
  await tell({ scope: "project/42", granted: true, incoming: 7 });
  expect(last.status?.incoming).toBe(7);
  await tell({ scope: "project/42", granted: true, ready: true });
  await answer("whole");
  expect(host.textContent).toBe("true  project/42".repeat(2));
  const before = renders;
  const { status } = last;
  await act(async () => {
    for (const fn of heard) fn({ ...db.status });
  });
  expect(last.status).toBe(status);
  expect(renders).toBe(before);
  await tell();
  expect(last).toMatchObject({ ready: false, status: { wanted: false } });
});

test("a scope that is not granted says so, until it is", async () => {
  await show("project/1");
  await answer("subscribe");
  await tell({ scope: "project/1" });
  await answer("whole", notGranted("project/1"));
  expect(last).toMatchObject({ ready: false, error: { code: "forbidden" } });
  await tell({ scope: "project/1", granted: true, ready: true });
  expect(last).toMatchObject({ ready: true, error: null });
});

test("a component that goes stays subscribed, and nobody waits for it", async () => {
  await show("project/1");
  await answer("subscribe");
  expect(methods()).toEqual(["whole"]);
  await show(null);
  expect(last).toEqual({ ready: false, status: null, error: null });
  await act(async () => vi.advanceTimersByTime(LINGER + 1));
  expect(methods()).toEqual([]);
  expect(
    renderToString(
      <TidemarkProvider database={db}>
        <Project scope="project/1" />
      </TidemarkProvider>,
    ),
  ).toContain("false");
});
