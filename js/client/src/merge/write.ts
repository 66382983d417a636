import { quote } from "../literal/literal.ts";
import { closing, type Node } from "./tree.ts";

/** The member of an object, or null. */
export function member(n: Node, key: string): Node | null {
  return n.items[n.places.get(key) ?? -1]?.val ?? null;
}

/** Puts a member in the place of the one of that key, or at the end; null takes it away. */
export function setMember(n: Node, key: string, val: Node | null): void {
  const there = n.items[n.places.get(key) ?? -1];
  n.edited = true;
  if (there?.val) {
    there.val = val;
  } else if (val) {
    n.places.set(key, n.items.length);
    n.items.push({ gap: "", name: quote(key) + colon(n), key, val });
  }
}

/**
 * Writes a value: what was not edited as it was read, what is new in the style of
 * what stands around it.
 */
export function write(n: Node): string {
  if (!n.edited) return n.raw;
  const between = comma(n);
  let out = "";
  for (const it of n.items) {
    if (it.val) out += (out === "" ? n.open : it.gap || between) + it.name + write(it.val);
  }
  return out === "" ? n.kind + closing(n.kind) : out + n.close;
}

/**
 * What separates items: as between the last two that were read; where there were
 * not two, a comma and the space that the only one has in front of it.
 */
function comma(n: Node): string {
  const gap = n.items.findLast((it) => it.gap !== "")?.gap;
  if (gap !== undefined) return gap;
  if (n.open.length > 1) return `,${n.open.slice(1)}`;
  return n.kind === "{" && colon(n).endsWith(" ") ? ", " : ",";
}

/** What separates a key from its value: as in the last member that was read. */
function colon(n: Node): string {
  const name = n.items[n.items.length - 1]?.name;
  return name === undefined ? ":" : name.slice(name.lastIndexOf('"') + 1);
}

/** Writes a value without the space between its tokens. */
export function compact(n: Node): string {
  if (n.kind !== "[" && n.kind !== "{") return n.raw;
  const list = n.items.map(
    (it) => (n.kind === "{" ? `${it.name.replace(/[ \t\r\n:]+$/, "")}:` : "") + (it.val ? compact(it.val) : ""),
  );
  return n.kind + list.join(",") + closing(n.kind);
}
