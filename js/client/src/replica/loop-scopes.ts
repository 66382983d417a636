import type { Work } from "../lite/work.ts";
import type { Applied } from "./apply.ts";
import { type Event, type Loop, messageOf } from "./loop.ts";
import { decide } from "./loop-session.ts";

/** Takes over which scopes the session has from here on. */
export function* scopes(l: Loop, now: number, event: Event): Work<void> {
  const m = messageOf<"scopes">(event);
  const news = yield* l.e.takeScopes(m, now);
  l.staging = false; // chunks that were staged are void
  rescoped(l, news, m.ask);
  decide(l, now, true);
}

/** Follows a list of scopes that were wanted as of ask; news is null where none came or went. */
export function rescoped(l: Loop, news: Applied | null, ask: number): void {
  l.heard = ask;
  l.e.answered(ask);
  reached(l, news);
}

/** Follows a change of what this copy holds, if there was one. */
export function reached(l: Loop, news: Applied | null): void {
  l.filling = l.e.filling();
  if (!news) return;
  l.progressed();
  l.unsent = true; // what went was sealed first
  if (l.check && (news.schema || news.scopes.length > 0)) {
    l.check = null; // it compared other tables or scopes; begin anew
    l.wanted = true;
  }
  l.notify({ applied: news });
}

/** Whether scopes or chunks are on their way. */
export function moving(l: Loop): boolean {
  return l.staging || l.filling || l.heard < l.told;
}

/** Tells the server what is wanted, if that is not what it was told. */
export function rewant(l: Loop): void {
  const n = l.e.wanted();
  if (n === l.told) return;
  const wants = l.e.wants();
  l.told = n;
  l.send({ type: "subscribe", ...wants, ask: n });
}

/** Looks whether something else is wanted. */
export function resubscribe(l: Loop, now: number): void {
  rewant(l);
  decide(l, now, false);
}
