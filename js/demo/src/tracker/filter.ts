import { readLabels } from "../labels.ts";
import type { Card } from "./model.ts";

/** What is looked for; empty fields ask for nothing. */
export interface Filter {
  readonly text: string;
  readonly label: string;
  readonly mine: boolean;
}

export const ALL: Filter = { text: "", label: "", mine: false };

export function filters(f: Filter): boolean {
  return f.text.trim() !== "" || f.label !== "" || f.mine;
}

/** Whether a card is what is looked for: every word stands somewhere in it. */
export function matches(card: Card, f: Filter, me: string): boolean {
  if (f.mine && card.assignee_id !== me) return false;
  if (f.label !== "" && !readLabels(card.labels).includes(f.label)) return false;
  const all = `${card.title} ${card.notes} ${card.labels}`.toLowerCase();
  return f.text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}

/** The labels of a board, the most used first. */
export function labelsOf(cards: readonly Card[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const c of cards) for (const l of readLabels(c.labels)) counts.set(l, (counts.get(l) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([l]) => l);
}
