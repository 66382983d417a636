import type { Database } from "../database.ts";
import { button, h, redraw } from "./dom.ts";
import { message } from "./format.ts";
import { follow, type Model } from "./model.ts";
import { conflicts, health, outcomes, overview, type Page, pending, queries, scopes } from "./pages.ts";
import { prompt } from "./prompt.ts";
import { report } from "./report.ts";
import { STYLE } from "./style.ts";

/** Options of mountInspector. */
export interface InspectorOptions {
  /** Where to put the panel, which then fills this element. Without it a button floats in the corner of the page and opens it. */
  readonly parent?: HTMLElement;
  /** Whether a floating panel is open from the start; default false. */
  readonly open?: boolean;
  /** Default: the scheme of the page if it has one, else that of the system. */
  readonly theme?: "light" | "dark";
}

/** How often what is only told when asked is asked for while somebody looks. */
const interval = 1000;

const names = ["Overview", "Pending", "Outcomes", "Conflicts", "Scopes", "Live queries", "SQL", "Report"] as const;

type Name = (typeof names)[number];

/**
 * Puts a panel on the page that shows how a database is doing: storage, status,
 * pending changesets, outcomes, conflicts, live queries and what they cost, an
 * SQL prompt, and a report without values for people who are to help. It lives
 * in a shadow root, so that no style crosses. Returns the function that removes
 * it.
 */
export function mountInspector(db: Database, options: InspectorOptions = {}): () => void {
  const host = document.createElement("tidemark-inspector");
  const floating = options.parent === undefined;
  if (floating) host.setAttribute("floating", "");
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  root.adoptedStyleSheets = [sheet];
  (options.parent ?? document.body).append(host);
  const given = getComputedStyle(host).colorScheme;
  if (options.theme || given === "normal" || given === "") host.style.colorScheme = options.theme ?? "light dark";

  const panel = new Panel(db, floating, options.open ?? false);
  root.append(...panel.nodes);
  return () => {
    panel.stop();
    host.remove();
  };
}

class Panel {
  readonly nodes: readonly Node[];
  readonly #db: Database;
  readonly #floating: boolean;
  readonly #model: Model;
  readonly #page: Page;
  readonly #dot = h("span", { class: "dot" });
  readonly #now = h("span", { class: "now", role: "status" });
  readonly #launch: HTMLElement;
  readonly #panel: HTMLElement;
  readonly #body: HTMLElement;
  readonly #tabs: readonly HTMLElement[];
  readonly #prompt: HTMLElement;
  readonly #timer: ReturnType<typeof setInterval>;
  #open: boolean;
  #at: Name = "Overview";
  #failure = "";
  #drawn = false;

  constructor(db: Database, floating: boolean, open: boolean) {
    this.#db = db;
    this.#floating = floating;
    this.#open = open || !floating;
    this.#model = follow(
      db,
      () => this.#soon(),
      () => this.#open,
    );
    this.#page = { db, model: this.#model, failed: (err) => this.#fail(err) };
    this.#prompt = prompt(db);
    this.#tabs = names.map((name) => this.#tab(name));
    this.#body = h("div", { role: "tabpanel", id: "page", tabindex: 0, "aria-label": this.#at });
    this.#launch = h("button", { type: "button", class: "launch", click: () => this.#show(true) });
    this.#panel = h(
      "section",
      { class: "panel", "aria-label": "Tidemark inspector", keydown: (e) => this.#escape(e) },
      h(
        "header",
        {},
        this.#dot,
        h("strong", {}, db.name),
        this.#now,
        floating &&
          button(
            "Close",
            "close",
            () => this.#show(false),
            () => {},
          ),
      ),
      h("div", { role: "tablist", "aria-label": "Pages", keydown: (e) => this.#arrows(e) }, ...this.#tabs),
      this.#body,
    );
    this.nodes = floating ? [this.#launch, this.#panel] : [this.#panel];
    this.#timer = setInterval(() => {
      if (this.#open && !document.hidden) void this.#model.load();
    }, interval);
    this.#draw();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#model.stop();
  }

  #tab(name: Name): HTMLElement {
    return h("button", { type: "button", role: "tab", "aria-controls": "page", click: () => this.#go(name) }, name);
  }

  #go(name: Name): void {
    this.#at = name;
    this.#failure = "";
    this.#drawn = false;
    this.#draw();
  }

  #show(open: boolean): void {
    this.#open = open;
    if (open) void this.#model.load();
    this.#draw();
    (open ? this.#tabs[names.indexOf(this.#at)] : this.#launch)?.focus();
  }

  #fail(err: unknown): void {
    this.#failure = message(err);
    this.#drawn = false;
    this.#draw();
  }

  #escape(e: Event): void {
    if (this.#floating && e instanceof KeyboardEvent && e.key === "Escape") this.#show(false);
  }

  #arrows(e: Event): void {
    if (!(e instanceof KeyboardEvent)) return;
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -names.length, End: names.length }[e.key];
    if (step === undefined) return;
    e.preventDefault();
    const at = names.indexOf(this.#at) + step;
    const to = Math.abs(step) > 1 ? (step < 0 ? 0 : names.length - 1) : (at + names.length) % names.length;
    this.#go(names[to]!);
    this.#tabs[to]!.focus();
  }

  #queued = false;

  /** Draws once however much changed. */
  #soon(): void {
    if (this.#queued) return;
    this.#queued = true;
    queueMicrotask(() => {
      this.#queued = false;
      this.#draw();
    });
  }

  #draw(): void {
    const { status } = this.#model;
    const { tone, words } = health(status);
    this.#dot.className = `dot ${tone}`;
    if (this.#now.textContent !== words) this.#now.textContent = words;
    this.#panel.hidden = !this.#open;
    this.#launch.hidden = this.#open;
    redraw(this.#launch, h("span", { class: `dot ${tone}` }), document.createTextNode("Tidemark"));
    this.#launch.setAttribute("aria-label", `Open the Tidemark inspector: ${words}`);
    if (!this.#open) return;
    const counts: Partial<Record<Name, number>> = {
      Pending: status.pending,
      Outcomes: status.rejected,
      Conflicts: status.conflicts,
      Scopes: status.scopes.length,
      "Live queries": this.#model.watches.length,
    };
    names.forEach((name, i) => {
      const tab = this.#tabs[i]!;
      const n = counts[name] ?? 0;
      tab.setAttribute("aria-selected", String(name === this.#at));
      tab.setAttribute("tabindex", name === this.#at ? "0" : "-1");
      redraw(tab, document.createTextNode(name), ...(n > 0 ? [h("span", { class: "count" }, n)] : []));
    });
    this.#body.setAttribute("aria-label", this.#at);
    // What somebody types in, and a report that somebody reads, stay as they are.
    if (this.#drawn && (this.#at === "SQL" || this.#at === "Report")) return;
    this.#drawn = true;
    const failure = this.#failure === "" ? [] : [h("p", { class: "notice bad", role: "alert" }, this.#failure)];
    redraw(this.#body, ...failure, ...this.#content());
  }

  #content(): Node[] {
    switch (this.#at) {
      case "Overview":
        return overview(this.#page);
      case "Pending":
        return pending(this.#page);
      case "Outcomes":
        return outcomes(this.#page);
      case "Conflicts":
        return conflicts(this.#page);
      case "Scopes":
        return scopes(this.#page);
      case "Live queries":
        return queries(this.#page);
      case "SQL":
        return [this.#prompt];
      case "Report":
        return this.#report();
    }
  }

  #report(): Node[] {
    const text = report({
      ...this.#model,
      status: this.#model.status,
      at: Date.now(),
      environment: {
        agent: navigator.userAgent,
        language: navigator.language,
        cores: navigator.hardwareConcurrency,
        ...this.#model.facts,
      },
    });
    const save = (): void => {
      const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
      const link = h("a", { href: url, download: `tidemark-${this.#db.name}.json` });
      link.click();
      URL.revokeObjectURL(url);
    };
    const failed = (err: unknown): void => this.#fail(err);
    return [
      h(
        "p",
        { class: "dim" },
        "Values are taken out: what is left is tables, columns, types, lengths and numbers. Look through it before you send it.",
      ),
      h("pre", { tabindex: 0 }, text),
      h(
        "div",
        { class: "actions" },
        button("Copy", "copy", () => navigator.clipboard.writeText(text), failed),
        button("Save", "save", save, failed),
        button("Anew", "anew", () => this.#go("Report"), failed),
      ),
    ];
  }
}
