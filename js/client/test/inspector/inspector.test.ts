// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { mountInspector } from "../../src/inspector/index.ts";
import { CALM, Lab } from "./lab.ts";

let lab: Lab;
let unmount: () => void;
beforeEach(() => {
  lab = new Lab();
  unmount = mountInspector(lab.db, { open: true });
});
afterEach(() => unmount());

const root = (): ShadowRoot => document.querySelector("tidemark-inspector")!.shadowRoot!;
const body = (): HTMLElement => root().querySelector<HTMLElement>("[role=tabpanel]")!;
const tabs = (): HTMLElement[] => [...root().querySelectorAll<HTMLElement>("[role=tab]")];
const click = (label: string): void => {
  const found = [...root().querySelectorAll<HTMLElement>("button")].find((b) => b.textContent === label);
  if (!found)
    throw new Error(`no button ${label} among ${[...root().querySelectorAll("button")].map((b) => b.textContent)}`);
  found.click();
};
const go = (name: string): void =>
  tabs()
    .find((t) => t.textContent?.startsWith(name))!
    .click();
const settled = (): Promise<void> => new Promise((done) => setTimeout(done));

test("the overview tells storage, sync and checkpoint, and follows the status", async () => {
  await settled();
  expect(body().textContent).toContain("origin private file system, kept by the browser");
  expect(body().textContent).toContain("seq 41, proven equal to the server");
  expect(body().textContent).toContain("120.6 KiB");
  lab.tell({
    storage: { level: "memory", reason: "private mode", persisted: false },
    connected: false,
    sync: "backoff",
    pending: 2,
  });
  await settled();
  expect(body().textContent).toContain("memory: gone when the tab that leads closes (private mode)");
  expect(root().querySelector("[role=status]")?.textContent).toBe("backoff, 2 pending");
  expect(root().querySelector("header .dot")?.className).toBe("dot warn");
});

test("a closed panel asks the database for nothing", async () => {
  unmount();
  const asked = vi.spyOn(lab.db, "pending");
  unmount = mountInspector(lab.db);
  lab.tell({ pending: 1 });
  await settled();
  expect(asked).not.toHaveBeenCalled();
  root().querySelector<HTMLElement>(".launch")!.click();
  await settled();
  go("Pending");
  expect(body().textContent).toContain("secret-key");
  click("Close");
  asked.mockClear();
  lab.tell({ pending: 0 });
  await settled();
  expect(asked).not.toHaveBeenCalled();
});

test("actions of all pages reach the database", async () => {
  lab.tell({ rejected: 1, conflicts: 1, pending: 1 });
  await settled();
  click("Network off");
  click("Sync now");
  go("Outcomes");
  click("Retry in parts");
  click("Discard");
  go("Conflicts");
  click("Take mine");
  await settled();
  expect(lab.did).toEqual(["setNetwork false", "sync", "retry 3 true", "discard 3", "resolve c1 mine"]);
  expect(tabs().map((t) => t.textContent)).toEqual([
    "Overview",
    "Pending1",
    "Outcomes1",
    "Conflicts1",
    "Scopes",
    "Live queries2",
    "SQL",
    "Report",
  ]);
  go("Pending");
  expect(body().textContent).toContain("update task ('secret-key'): title = 'secret title', done = 1, votes: adds 17");
});

test("live queries stand by what they cost", async () => {
  await settled();
  go("Live queries");
  const cells = [...body().querySelectorAll("tbody tr")].map((r) =>
    [...r.children].map((c) => c.textContent?.replace("\u00a0", " ")),
  );
  expect(cells.map((c) => c.slice(1))).toEqual([
    ["task", "40", "2", "7", "1.79 ms", "13 ms"],
    ["task", "1", "1", "70", "0.04 ms", "3.00 ms"],
  ]);
});

test("outcomes and risks are shown as they come", async () => {
  lab.event({
    type: "outcome",
    outcome: {
      n: 5,
      kind: "merged",
      seq: 42,
      code: "",
      message: "kept theirs",
      table: "task",
      key: ["k"],
      columns: ["title"],
    },
  });
  lab.event({ type: "risk", risk: { kind: "reopened", message: "the storage was lost", pending: 2 } });
  await settled();
  expect(body().querySelector("[role=alert]")?.textContent).toBe("reopened: the storage was lost");
  go("Outcomes");
  expect(body().textContent).toContain("merged42kept theirs task ('k') title");
});

test("the prompt reads, writes only where allowed, recalls, and shows errors", async () => {
  go("SQL");
  const text = body().querySelector("textarea")!;
  const press = (key: string, init: KeyboardEventInit): boolean =>
    text.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...init }));
  lab.rows = [{ id: 1, title: "it's" }];
  text.value = " SELECT 1 ";
  press("Enter", { ctrlKey: true });
  await settled();
  expect([...body().querySelectorAll("td")].map((c) => c.textContent)).toEqual(["1", "'it''s'"]);
  text.value = "SELECT * FROM nowhere";
  click("Run");
  await settled();
  expect(body().textContent).toContain("no such table: nowhere");
  body().querySelector<HTMLInputElement>("input[type=checkbox]")!.checked = true;
  text.value = "DELETE FROM task";
  lab.tell({ seq: 50 });
  click("Run");
  await settled();
  expect(body().textContent).toContain("0 rows, 2 changed");
  expect(lab.did).toEqual(["query SELECT 1", "query SELECT * FROM nowhere", "exec DELETE FROM task"]);
  press("ArrowUp", { altKey: true });
  press("ArrowUp", { altKey: true });
  expect(text.value).toBe("SELECT * FROM nowhere");
});

test("the report has no values", async () => {
  lab.tell({
    pending: 1,
    rejected: 1,
    conflicts: 1,
    space: "secret-space",
    error: { code: "offline", message: "secret 'x' 17", hint: "" },
  });
  lab.event({
    type: "outcome",
    outcome: {
      n: 5,
      kind: "rejected",
      seq: 42,
      code: "check",
      message: "'secret' is 17",
      table: "task",
      key: ["secret-key"],
      columns: [],
    },
  });
  for (const code of ["app:locked", "raised"] as const) {
    const message = "the record of Ada Lovelace is locked";
    const outcome = { n: 6, kind: "rejected", seq: 43, code, message, table: "task", key: ["k"], columns: [] } as const;
    lab.event({ type: "outcome", outcome });
  }
  await settled();
  go("Report");
  const text = body().querySelector("pre")!.textContent!;
  expect(text).not.toMatch(/secret-|secret title|ada@|127\.0\.0\.1|2026-0|\b17\b|Lovelace/);
  const r = JSON.parse(text);
  expect(r.pending[0].changes[0]).toEqual({
    table: "task",
    op: "update",
    key: "#1",
    set: { title: "text of 12", done: "integer" },
    edited: ["votes"],
  });
  expect([r.rejected[0].key, r.conflicts[0].key, r.outcomes[2].key]).toEqual(["#1", "#1", "#1"]);
  expect(r.outcomes[0].message).toBe("text of 36");
  expect(r.conflicts[0].by[1]).toBe(r.conflicts[0].by[2]);
  expect(r.watches[0].sql).toBe("SELECT * FROM task WHERE title = ? AND n > ?");
});

test("keys: arrows move between the pages, escape closes, the focus goes along", async () => {
  const press = (key: string): boolean =>
    root().activeElement!.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  tabs()[0]!.focus();
  press("ArrowRight");
  expect([root().activeElement, tabs()[1]!.getAttribute("aria-selected")]).toEqual([tabs()[1], "true"]);
  press("Home");
  press("ArrowLeft");
  expect(root().activeElement).toBe(tabs().at(-1));
  expect(tabs().map((t) => t.getAttribute("tabindex"))).toEqual([...Array(7).fill("-1"), "0"]);
  press("Escape");
  const launch = root().querySelector<HTMLElement>(".launch")!;
  expect([root().activeElement === launch, root().querySelector<HTMLElement>(".panel")!.hidden]).toEqual([true, true]);
  expect(launch.getAttribute("aria-label")).toBe("Open the Tidemark inspector: idle, seq 41");
  launch.click();
  expect(root().querySelector<HTMLElement>(".panel")!.hidden).toBe(false);
});

test("a button keeps the focus while the page is drawn anew", async () => {
  await settled();
  const find = (): HTMLElement =>
    [...root().querySelectorAll<HTMLElement>("button")].find((b) => b.textContent === "Verify")!;
  find().focus();
  lab.tell({ ...CALM, seq: 99, online: false });
  await settled();
  expect(body().textContent).toContain("Network on");
  expect(root().activeElement).toBe(find());
});

test("failures are shown until another page is looked at", async () => {
  await settled();
  lab.db.sync = () => Promise.reject(new Error("cannot be reached"));
  click("Sync now");
  await settled();
  expect(body().textContent).toContain("cannot be reached");
  go("Pending");
  go("Overview");
  expect(body().textContent).not.toContain("cannot be reached");
});

test("it goes without a trace, and fills an element that it is given", async () => {
  unmount();
  expect([document.querySelector("tidemark-inspector"), lab.listeners]).toEqual([null, 0]);
  const parent = document.createElement("div");
  document.body.append(parent);
  const clear = vi.spyOn(globalThis, "clearInterval");
  unmount = mountInspector(lab.db, { parent, theme: "dark" });
  const host = parent.querySelector<HTMLElement>("tidemark-inspector")!;
  expect([host.hasAttribute("floating"), host.style.colorScheme]).toEqual([false, "dark"]);
  unmount();
  expect([parent.childElementCount, clear.mock.calls.length]).toEqual([0, 1]);
});

test("the page of scopes tells how each stands, and the report hides their keys", async () => {
  go("Scopes");
  expect(body().textContent).toContain("declares no scopes");
  const of = (scope: string, more: object) => ({
    ...{ scope, wanted: true, granted: true, ready: false, priority: 0, incoming: 0 },
    ...more,
  });
  lab.tell({
    scopes: [
      of("catalog", { ready: true }),
      of("mine/ada@example.com", { granted: false }),
      of("project/42", { incoming: 17, priority: -2 }),
    ],
  });
  await settled();
  const lines = [...body().querySelectorAll("tr")].map((tr) => tr.textContent);
  expect(lines.slice(1)).toEqual([
    "catalogready00Unsubscribe",
    "mine/ada@example.comnot granted100Unsubscribe",
    "project/42comes in, 17 rows so far20-2Unsubscribe",
  ]);
  expect(tabs().map((t) => t.textContent)).toContain("Scopes3");
  body().querySelectorAll<HTMLElement>("button")[2]!.click();
  await settled();
  expect(lab.did).toEqual(["unsubscribe project/42"]);
  go("Report");
  const text = body().querySelector("pre")!.textContent!;
  expect(text).toContain('"scope": "mine/#');
  expect(text).not.toContain("ada@example");
});
