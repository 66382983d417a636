import type { Database } from "@tidemark/client";
import { readLabels } from "../labels.ts";
import { ana, type Booking, ben, days, labels, PLAN, type Plan, slots } from "./people.ts";

/** The two replicas that a scenario plays with. */
export interface Cast {
  readonly ana: Database;
  readonly ben: Database;
}

/** Something to try: one goes offline, both edit, the network comes back. */
export interface Scenario {
  readonly id: "merge" | "conflict" | "rejection";
  readonly title: string;
  /** What the two do while they do not hear of each other. */
  readonly task: string;
  /** What there is to see in the end. */
  readonly outcome: string;
  /** Does the middle step. */
  readonly play: (cast: Cast, turn: Turn) => Promise<void>;
}

/** Lets people see whose turn it is, and gives the database of that person. */
export type Turn = (who: keyof Cast) => Promise<Database>;

const titles = ["Plan the spring market", "Plan the market by the harbour", "Plan the market stall"];

async function planOf(db: Database): Promise<Plan> {
  const plan = await db.queryOne<Plan>`SELECT id, title, votes, labels, notes, due FROM task WHERE id = ${PLAN}`;
  if (!plan) throw new Error("The plan is not there: start over.");
  return plan;
}

/** The labels with one more; when all are there, with one less. */
function another(json: string, from: readonly string[]): string {
  const set = readLabels(json);
  const next = from.find((l) => !set.includes(l));
  return JSON.stringify(next ? [...set, next] : set.filter((l) => l !== from[0]));
}

async function playMerge(cast: Cast, turn: Turn): Promise<void> {
  const plan = await planOf(cast.ana);
  const title = titles[(titles.indexOf(plan.title) + 1) % titles.length] ?? "Plan";
  const mine = await turn("ana");
  await mine.exec`UPDATE task SET title = ${title} WHERE id = ${PLAN}`;
  await turn("ana");
  await mine.exec`UPDATE task SET votes = votes + 1 WHERE id = ${PLAN}`;
  await turn("ana");
  await mine.exec`UPDATE task SET labels = ${another(plan.labels, labels)} WHERE id = ${PLAN}`;
  await turn("ana");
  await mine.exec`UPDATE task SET notes = ${"Open at nine. "} || notes WHERE id = ${PLAN}`;
  const theirs = await turn("ben");
  await theirs.exec`UPDATE task SET votes = votes + 1 WHERE id = ${PLAN}`;
  await turn("ben");
  await theirs.exec`UPDATE task SET labels = ${another(plan.labels, labels.toReversed())} WHERE id = ${PLAN}`;
  await turn("ben");
  await theirs.exec`UPDATE task SET notes = notes || ${" Ben brings the cake."} WHERE id = ${PLAN}`;
}

async function playConflict({ ana }: Cast, turn: Turn): Promise<void> {
  const { due } = await planOf(ana);
  const [first, second] = days.filter((d) => d !== due);
  const mine = await turn("ana");
  await mine.exec`UPDATE task SET due = ${second ?? null} WHERE id = ${PLAN}`;
  const theirs = await turn("ben");
  await theirs.exec`UPDATE task SET due = ${first ?? null} WHERE id = ${PLAN}`;
}

async function playRejection(_: Cast, turn: Turn): Promise<void> {
  const mine = await turn("ana");
  const taken = await mine.query<Booking>`SELECT slot, holder FROM booking`;
  const slot = slots.find((s) => !taken.some((b) => b.slot === s)) ?? slots[1];
  await mine.exec`INSERT INTO booking (slot, holder) VALUES (${slot}, ${ana.name})`;
  const theirs = await turn("ben");
  await theirs.exec`INSERT INTO booking (slot, holder) VALUES (${slot}, ${ben.name})`;
}

/** What has to be so before a scenario is played: everybody is online, and one slot is free. */
export async function prepare({ ana, ben }: Cast): Promise<void> {
  await Promise.all([ana.setNetwork(true), ben.setNetwork(true)]);
  const taken = await ana.query<Booking>`SELECT slot, holder FROM booking`;
  if (taken.length >= slots.length) await ana.exec`DELETE FROM booking WHERE slot = ${slots[1]}`;
}

export const scenarios: readonly Scenario[] = [
  {
    id: "merge",
    title: "Edits merge",
    task: "Change the title on one side. Vote, add labels and type notes on both.",
    outcome: "What Ana and Ben did is in both copies: votes add up, labels and sentences of both stay.",
    play: playMerge,
  },
  {
    id: "conflict",
    title: "A conflict is kept",
    task: "Choose one day on Ana's side and another on Ben's.",
    outcome: "The server kept both answers and asks. Decide on either side: everyone follows.",
    play: playConflict,
  },
  {
    id: "rejection",
    title: "A rule holds",
    task: "Book the same hour of the van on both sides.",
    outcome: "One van, one holder: the second booking was rejected and rolled back, and the reason is kept.",
    play: playRejection,
  },
];

/** Puts the lab back to where it began, as one changeset. */
export async function startOver(db: Database): Promise<void> {
  await db.transaction(async (tx) => {
    await tx.exec`DELETE FROM booking`;
    await tx.exec`UPDATE tm_conflicts SET state = 'resolved' WHERE state <> 'resolved'`;
    await tx.exec`INSERT INTO task (id, title, votes, labels, notes, due) VALUES (${PLAN}, ${titles[2] ?? ""}, 2, ${'["spring"]'}, ${"Bring the blue awning. Ask Mo for the keys."}, 'Friday')
      ON CONFLICT (id) DO UPDATE SET title = excluded.title, votes = excluded.votes, labels = excluded.labels, notes = excluded.notes, due = excluded.due`;
  });
}
