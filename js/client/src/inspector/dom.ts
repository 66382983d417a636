type Child = Node | string | number | null | undefined | false;

/** Attributes; functions are listeners, `true` is an attribute without a value, false and undefined are left out. */
type Attributes = Readonly<Record<string, string | number | boolean | ((e: Event) => void) | undefined>>;

/** Makes an element. Text stays text: nothing here reads HTML. */
export function h(tag: string, attributes: Attributes, ...children: readonly Child[]): HTMLElement {
  const el = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") el.addEventListener(name, value);
    else if (value !== undefined && value !== false) el.setAttribute(name, value === true ? "" : String(value));
  }
  for (const c of children)
    if (c !== null && c !== undefined && c !== false) el.append(typeof c === "number" ? `${c}` : c);
  return el;
}

/** A button that is out of use while its work runs; `failed` hears of errors. `name` keeps the focus on it when it is drawn anew. */
export function button(
  label: string,
  name: string,
  work: () => unknown,
  failed: (err: unknown) => void,
  attributes: Attributes = {},
): HTMLElement {
  const el = h(
    "button",
    {
      type: "button",
      "data-name": name,
      click: async () => {
        el.setAttribute("aria-disabled", "true");
        try {
          await work();
        } catch (err) {
          failed(err);
        }
        el.removeAttribute("aria-disabled");
      },
      ...attributes,
    },
    label,
  );
  return el;
}

/** Puts new content in the place of old. What looks the same stays, with its selection and scrolling; so does the focus. */
export function redraw(host: HTMLElement, ...content: readonly Node[]): void {
  const root = host.getRootNode();
  const focused = root instanceof ShadowRoot && root.activeElement;
  const name = focused && host.contains(focused) ? focused.getAttribute("data-name") : null;
  const old = [...host.childNodes];
  content.forEach((node, i) => {
    const was = old[i];
    if (!was) host.append(node);
    else if (!was.isEqualNode(node)) host.replaceChild(node, was);
  });
  for (const extra of old.slice(content.length)) extra.remove();
  if (name === null || (root instanceof ShadowRoot && root.activeElement)) return;
  for (const el of host.querySelectorAll<HTMLElement>("[data-name]")) {
    if (el.getAttribute("data-name") === name) el.focus();
  }
}

/** A table with a header; cells that are numbers stand to the right. */
export function grid(
  label: string,
  head: readonly string[],
  rows: readonly (readonly (Node | string | number)[])[],
): HTMLElement {
  const cell = (c: Node | string | number): HTMLElement => h("td", { class: typeof c === "number" && "number" }, c);
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...head.map((t) => h("th", { scope: "col" }, t)))),
      h("tbody", {}, ...rows.map((r) => h("tr", {}, ...r.map(cell)))),
    ),
  );
}

/** What stands where there is nothing to show. */
export const empty = (text: string): HTMLElement => h("p", { class: "empty" }, text);
