import type { Database, Row } from "../database.ts";
import { button, grid, h, redraw } from "./dom.ts";
import { message, ms, shown } from "./format.ts";

/** So many rows of a result are shown. */
const maxRows = 200;

/** The SQL prompt, made once so that what was typed stays. */
export function prompt(db: Database): HTMLElement {
  const past: string[] = [];
  let place = 0;
  const text = h("textarea", {
    "aria-label": "SQL",
    spellcheck: "false",
    placeholder: "SELECT * FROM ...",
    keydown: (e) => keys(e),
  }) as HTMLTextAreaElement;
  const writes = h("input", { type: "checkbox" }) as HTMLInputElement;
  const result = h("div", { class: "result", "aria-live": "polite" });

  const run = async (): Promise<void> => {
    const sql = text.value.trim();
    if (sql === "") return;
    if (past.at(-1) !== sql) past.push(sql);
    place = past.length;
    const begun = performance.now();
    try {
      const did = writes.checked ? await db.exec(sql) : { rows: await db.query(sql), changes: 0 };
      const took = ms(performance.now() - begun);
      const counts = `${did.rows.length} ${did.rows.length === 1 ? "row" : "rows"}${writes.checked ? `, ${did.changes} changed` : ""}, ${took}`;
      redraw(result, h("p", { class: "dim" }, counts), ...(did.rows.length > 0 ? [table(did.rows)] : []));
    } catch (err) {
      redraw(result, h("p", { class: "bad" }, message(err)));
    }
  };
  const recall = (step: number): boolean => {
    const at = place + step;
    if (at < 0 || at > past.length) return false;
    place = at;
    text.value = past[at] ?? "";
    return true;
  };
  const keys = (e: Event): void => {
    if (!(e instanceof KeyboardEvent)) return;
    if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
      e.preventDefault();
      void run();
    }
    const step = e.key === "ArrowUp" ? -1 : e.key === "ArrowDown" ? 1 : 0;
    if (step !== 0 && e.altKey && recall(step)) e.preventDefault();
  };
  return h(
    "div",
    {},
    text,
    h(
      "div",
      { class: "actions" },
      button("Run", "run", run, () => {}),
      h("label", {}, writes, " allow writes"),
      h("span", { class: "dim" }, "Ctrl+Enter runs, Alt+Up and Alt+Down recall"),
    ),
    result,
  );
}

function table(rows: readonly Row[]): HTMLElement {
  const head = Object.keys(rows[0]!);
  const cells = rows.slice(0, maxRows).map((r) => head.map((c) => (typeof r[c] === "number" ? r[c] : shown(r[c]))));
  return grid("Result", head, cells);
}
