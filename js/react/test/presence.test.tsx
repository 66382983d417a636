// @vitest-environment happy-dom
import type { Database } from "@tidemark/client";
import { TidemarkProvider, useCasts, usePresence } from "@tidemark/react";
import { act, StrictMode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TabPresences } from "../../client/src/tabs/presence.ts";
import { LINGER } from "../src/store.ts";

globalThis.IS_REACT_ACT_ENVIRONMENT = true;

let host: HTMLElement;
let root: Root;
let said: [scope: string, state: string | null][];
let tab: TabPresences;
let db: Database;

beforeEach(() => {
  vi.useFakeTimers();
  host = document.createElement("div");
  root = createRoot(host);
  said = [];
  tab = new TabPresences({
    tab: "tab-a",
    present: async (scope, state) => said.push([scope, state]),
    cast: async (scope, body) => said.push([scope, body]),
  });
  tab.receive({ type: "session", replica: "r1", error: null });
  // Presence needs no more of a database.
  db = { presence: (scope = "all") => tab.of(scope) } as Partial<Database> as Database;
});
afterEach(async () => {
  await act(async () => root.unmount());
  vi.useRealTimers();
});

const peers = (all: boolean, ...list: [id: string, state: string | null][]): Promise<void> =>
  act(async () =>
    tab.receive({ type: "peers", scope: "all", all, list: list.map(([id, state]) => ({ id, principal: "", state })) }),
  );

let renders = 0;
const heard: unknown[] = [];

function Who({ name }: { name?: string }) {
  renders++;
  const { others, error, cast } = usePresence<{ name: string }>("all", name === undefined ? undefined : { name });
  useCasts((c) => heard.push(c.body));
  return (
    <button type="button" onClick={() => cast("hello")}>
      {error?.code ?? others.map((p) => p.state.name).join()}
    </button>
  );
}

const show = (...names: (string | undefined)[]): Promise<void> =>
  act(async () =>
    root.render(
      <StrictMode>
        <TidemarkProvider database={db}>
          {names.map((name, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: they have no other
            <Who key={i} {...(name === undefined ? {} : { name })} />
          ))}
        </TidemarkProvider>
      </StrictMode>,
    ),
  );

test("a component is present while it is mounted, and sees the others", async () => {
  await show("Ana");
  expect(said.at(-1)).toEqual(["all", '{"name":"Ana"}']);
  expect(said.some(([, state]) => state === null)).toBe(false);
  await peers(true, ["r1:tab-a", '{"name":"Ana"}'], ["r2", '{"name":"Bo"}']);
  expect(host.textContent).toBe("Bo");
  await show("Ana Maria", undefined);
  expect(said.at(-1)).toEqual(["all", '{"name":"Ana Maria"}']);
  expect(host.textContent).toBe("BoBo");
  const before = said.length;
  await show("Ana Maria", undefined);
  expect(said.length).toBe(before);
  await peers(false, ["r2", null], ["r3", '{"name":"Cy"}']);
  expect(host.textContent).toBe("CyCy");
  await act(async () => host.querySelector("button")?.click());
  expect(said.at(-1)).toEqual(["all", '"hello"']);
  await act(async () => tab.receive({ type: "heard", scope: "all", id: "r3", principal: "", body: '"hi"' }));
  expect(heard).toEqual(["hi", "hi"]);
  await act(async () =>
    tab.receive({ type: "declined", scope: "all", part: "tab-a", code: "busy", message: "full", hint: "" }),
  );
  expect(host.textContent).toBe("busybusy");
  await show();
  await act(() => vi.advanceTimersByTimeAsync(LINGER + 100));
  expect(said.at(-1)).toEqual(["all", null]);
});

test("on the server nobody is present", () => {
  const text = renderToString(
    <TidemarkProvider database={db}>
      <Who name="Ana" />
    </TidemarkProvider>,
  );
  expect(text).toBe('<button type="button"></button>');
  expect(said).toEqual([]);
  expect(renders).toBeGreaterThan(0);
});
