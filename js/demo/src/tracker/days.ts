import type { Card } from "./model.ts";

const short = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const moment = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** A day as 2026-03-01, for people; what is no day stays as it is. */
export function dayText(day: string): string {
  const at = new Date(`${day}T12:00:00`);
  return Number.isNaN(at.getTime()) ? day : short.format(at);
}

export function momentText(at: string): string {
  const when = new Date(at);
  return Number.isNaN(when.getTime()) ? at : moment.format(when);
}

/** The day of a moment where this person is. */
export function today(now = new Date()): string {
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

export function overdue(card: Pick<Card, "due" | "state">): boolean {
  return card.due !== null && card.state !== "done" && card.due < today();
}
