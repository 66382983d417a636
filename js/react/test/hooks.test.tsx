// @vitest-environment happy-dom
import type { Conflict, Database, PendingChangeset, RejectedChangeset, Row } from "@tidemark/client";
import {
  TidemarkProvider,
  useConflicts,
  useDatabase,
  usePending,
  useQuery,
  useRejected,
  useStatus,
} from "@tidemark/react";
import { act, Component, memo, type ReactNode, StrictMode, useState } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { LINGER } from "../src/store.ts";
import { lab } from "./database.ts";

globalThis.IS_REACT_ACT_ENVIRONMENT = true;

let host: HTMLElement;
let root: Root;
beforeEach(() => {
  host = document.createElement("div");
  root = createRoot(host);
});
afterEach(() => act(async () => root.unmount()));

const render = (node: ReactNode): Promise<void> => act(async () => root.render(node));

const rendered = { list: 0, rows: new Map<unknown, number>() };
beforeEach(() => {
  rendered.list = 0;
  rendered.rows.clear();
});

const Line = memo(function Line({ row }: { row: Row }) {
  rendered.rows.set(row.id, (rendered.rows.get(row.id) ?? 0) + 1);
  return <li>{row.title as string}</li>;
});

function List({ from = 0, sql = "SELECT id, title FROM task WHERE id > ? ORDER BY id", keep = false }) {
  rendered.list++;
  const { rows, loading, error } = useQuery(sql, [from], { keepPrevious: keep });
  if (error) return <p>failed: {error.message}</p>;
  if (loading && rows.length === 0) return <p>loading</p>;
  return (
    <ul>
      {rows.map((r) => (
        <Line key={r.id as number} row={r} />
      ))}
    </ul>
  );
}

const states: string[] = [];
const lists: (readonly PendingChangeset[])[] = [];
beforeEach(() => {
  states.length = lists.length = 0;
});

function Spy() {
  states.push(useQuery("SELECT id FROM task").loading ? "loading" : "rows");
  return null;
}

function Watch({ from, keep }: { from: number; keep: boolean }) {
  const { rows, loading } = useQuery("SELECT id FROM task WHERE id > ?", [from], { keepPrevious: keep });
  states.push(`${loading ? "loading " : ""}${rows.map((r) => r.id).join()}`);
  return null;
}

function State() {
  return <i>{useStatus().phase}</i>;
}

function Name() {
  return <b>{typeof useDatabase().watch}</b>;
}

function Page({ opened }: { opened: () => Promise<Database> }) {
  const [n, set] = useState(0);
  return (
    <TidemarkProvider database={() => opened()}>
      <button type="button" onClick={() => set(n + 1)}>
        {n}
      </button>
      <List />
    </TidemarkProvider>
  );
}

function Pending() {
  const list = usePending();
  if (lists.at(-1) !== list) lists.push(list);
  return <i>{useStatus().pending}</i>;
}

/** What became of edits, drawn anew only when it is another list. */
function Outcomes() {
  const rejected = useRejected();
  const open = useConflicts({ states: ["open"] });
  const all = useConflicts();
  states.push(`${rejected.map((r) => r.id)}|${open.map((c) => c.id)}|${all.map((c) => c.id)}`);
  return null;
}

const items = (): string[] => [...host.querySelectorAll("li")].map((li) => li.textContent ?? "");

test("a component shows the rows, and only rows that changed render again", async () => {
  const l = lab();
  await render(
    <TidemarkProvider database={l.db}>
      <List />
    </TidemarkProvider>,
  );
  expect(items()).toEqual(["one", "two", "three"]);
  const before = rendered.list;
  await l.commit("UPDATE task SET title = 'TWO' WHERE id = 2");
  expect(items()).toEqual(["one", "TWO", "three"]);
  expect(rendered.list).toBe(before + 1);
  expect([...rendered.rows]).toEqual([
    [1, 1],
    [2, 2],
    [3, 1],
  ]);
  await l.commit("UPDATE task SET title = 'TWO' WHERE id = 2");
  expect(rendered.list).toBe(before + 1);
});

test("strict mode watches once, and leaving ends it a little later", async () => {
  const l = lab();
  vi.useFakeTimers();
  try {
    await render(
      <StrictMode>
        <TidemarkProvider database={l.db}>
          <List />
          <List />
        </TidemarkProvider>
      </StrictMode>,
    );
    expect([l.watching(), items().length]).toEqual([1, 6]);
    await render(<p>gone</p>);
    expect(l.watching()).toBe(1);
    await render(
      <TidemarkProvider database={l.db}>
        <List />
      </TidemarkProvider>,
    );
    expect(items()).toEqual(["one", "two", "three"]);
    vi.advanceTimersByTime(2 * LINGER);
    expect(l.watching()).toBe(1);
    await render(<p>gone</p>);
    vi.advanceTimersByTime(LINGER);
    expect([l.watching(), l.world.watches.costs().length]).toEqual([0, 0]);
  } finally {
    vi.useRealTimers();
  }
});

test("who comes back finds rows at the first render", async () => {
  const l = lab();
  const page = (shown: boolean): ReactNode => (
    <TidemarkProvider database={l.db}>{shown ? <Spy /> : null}</TidemarkProvider>
  );
  await render(page(true));
  await render(page(false));
  states.length = 0;
  await render(page(true));
  expect(new Set(states)).toEqual(new Set(["rows"]));
});

test("other parameters are another query; the rows of before stand only where asked", async () => {
  const l = lab();
  for (const keep of [false, true]) {
    const page = (from: number): ReactNode => (
      <TidemarkProvider database={l.db}>
        <Watch from={from} keep={keep} />
      </TidemarkProvider>
    );
    await render(page(keep ? 10 : 0));
    await render(page(keep ? 0.5 : 1));
    await render(page(keep ? 2 : 1.5));
  }
  const runs = states.filter((s, i) => s !== states[i - 1]);
  expect(runs).toEqual([
    "loading ",
    "1,2,3",
    "loading ",
    "2,3",
    "loading ",
    "2,3",
    "loading 2,3",
    "",
    "loading ",
    "1,2,3",
    "loading 1,2,3",
    "3",
  ]);
});

test("parameters that JSON writes alike are others", async () => {
  const l = lab();
  const show = (from: number): Promise<void> =>
    render(
      <TidemarkProvider database={l.db}>
        <List from={from} />
      </TidemarkProvider>,
    );
  await show(Number.POSITIVE_INFINITY);
  expect(items()).toEqual([]);
  await show(Number.NEGATIVE_INFINITY);
  expect(items()).toEqual(["one", "two", "three"]);
});

test("an error is shown, and goes when the query works", async () => {
  const l = lab();
  await render(
    <TidemarkProvider database={l.db}>
      <List sql="SELECT id, title FROM later WHERE id > ?" />
    </TidemarkProvider>,
  );
  expect(host.textContent).toContain("failed: ");
  await act(async () => {
    l.world.db.script("CREATE TABLE later AS SELECT 1 AS id, 'late' AS title");
    l.world.watches.moved();
    l.world.deliver();
  });
  expect(items()).toEqual(["late"]);
});

test("the server renders the page without a database, and the browser takes it over", async () => {
  const l = lab();
  const opened = vi.fn(async () => l.db);
  const page = (
    <TidemarkProvider database={opened}>
      <List />
      <State />
    </TidemarkProvider>
  );
  const html = renderToString(page);
  expect(html).toBe("<p>loading</p><i>opening</i>");
  expect(opened).not.toHaveBeenCalled();
  host = document.createElement("div");
  host.innerHTML = html;
  const problems: unknown[] = [];
  await act(async () => {
    root.unmount();
    root = hydrateRoot(host, page, { onRecoverableError: (err) => problems.push(err) });
  });
  await act(async () => {});
  expect(problems).toEqual([]);
  expect(items()).toEqual(["one", "two", "three"]);
  expect(host.querySelector("i")?.textContent).toBe("ready");
});

test("a page with a fallback shows it until the database is there", async () => {
  const l = lab();
  let give: (db: Database) => void = () => {};
  const promise = new Promise<Database>((done) => {
    give = done;
  });
  const page = (
    <TidemarkProvider database={promise} fallback={<p>wait</p>}>
      <Name />
    </TidemarkProvider>
  );
  expect(renderToString(page)).toBe("<p>wait</p>");
  await render(page);
  expect(host.innerHTML).toBe("<p>wait</p>");
  await act(async () => give(l.db));
  expect(host.innerHTML).toBe("<b>function</b>");
});

test("what the provider opened is opened once in strict mode, and closed when it goes", async () => {
  const l = lab();
  const opened = vi.fn(async () => l.db);
  await render(
    <StrictMode>
      <Page opened={opened} />
    </StrictMode>,
  );
  await act(async () => host.querySelector("button")?.click());
  expect([items().length, opened.mock.calls.length, l.closed]).toEqual([3, 1, 0]);
  await render(null);
  await vi.waitFor(() => expect(l.closed).toBe(1), 20_000);
});

class Boundary extends Component<{ children: ReactNode }, { message: string }> {
  override state = { message: "" };
  static getDerivedStateFromError(err: Error): { message: string } {
    return { message: err.message };
  }
  override render(): ReactNode {
    return this.state.message || this.props.children;
  }
}

test("a database that cannot be opened reaches the error boundary, and so does a missing provider", async () => {
  const quiet = vi.spyOn(console, "error").mockImplementation(() => {});
  try {
    await render(
      <Boundary>
        <TidemarkProvider database={() => Promise.reject(new Error("no room"))}>
          <List />
        </TidemarkProvider>
      </Boundary>,
    );
    expect(host.textContent).toBe("no room");
    await render(
      <Boundary key="2">
        <List />
      </Boundary>,
    );
    expect(host.textContent).toContain("TidemarkProvider");
  } finally {
    quiet.mockRestore();
  }
});

test("lists are asked for again when the status says so, and unchanged entries stay the same", async () => {
  const l = lab();
  const entry = (n: number): PendingChangeset => ({
    n,
    madeAt: n,
    seen: 0,
    suspended: false,
    cause: "",
    bytes: 1,
    changes: [{ table: "task", op: "update", key: { id: 2n ** 60n }, set: { b: new Uint8Array([n]) }, edit: {} }],
  });
  l.pending = [entry(1)];
  await render(
    <TidemarkProvider database={l.db}>
      <Pending />
    </TidemarkProvider>,
  );
  expect(lists.map((s) => s.length)).toEqual([0, 1]);
  l.pending = [entry(1), entry(2)];
  await l.status({ pending: 2 });
  expect(lists.map((s) => s.length)).toEqual([0, 1, 2]);
  expect(lists[2]![0]).toBe(lists[1]![0]);
  const asked = l.asked;
  await l.status({ contact: 5 });
  expect(l.asked).toBe(asked);
  await l.status({ seq: 9 });
  expect([l.asked, lists.length, host.textContent]).toEqual([asked + 1, 3, "2"]);
});

test("rejected changesets and conflicts are followed, each filter for itself", async () => {
  const l = lab();
  const rejected = { id: 1, n: 4, code: "unique", changes: [] } as unknown as RejectedChangeset;
  const conflict = (id: string, state: Conflict["state"]) => ({ id, state, table: "task" }) as Conflict;
  await render(
    <StrictMode>
      <TidemarkProvider database={l.db}>
        <Outcomes />
      </TidemarkProvider>
    </StrictMode>,
  );
  expect(states.at(-1)).toBe("||");
  l.rejected = [rejected];
  await l.status({ rejected: 1 });
  expect(states.at(-1)).toBe("1||");
  l.conflicts = [conflict("a", "open"), conflict("b", "kept")];
  await l.event({ type: "conflict", conflict: l.conflicts[0]! });
  expect(states.at(-1)).toBe("1|a|a,b");
  const drawn = states.length;
  await l.status({ contact: 7 });
  await l.event({ type: "error", error: { code: "offline", message: "", hint: "" } });
  expect(states.length).toBe(drawn);
  l.rejected = [];
  l.conflicts = [conflict("b", "kept")];
  await l.status({ rejected: 0, conflicts: 0 });
  expect(states.at(-1)).toBe("||b");
});
