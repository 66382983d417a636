import type { Database } from "@tidemark/client";
import { readLabels } from "../labels.ts";
import { ana, type Booking, ben, days, PLAN, type Plan, slots } from "./people.ts";

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
  /** Does the middle step; pause lets people follow. */
  readonly play: (cast: Cast, pause: () => Promise<void>) => Promise<void>;
}

const titles = ["Plan the spring market", "Plan the market by the harbour", "Plan the market stall"];

async function planOf(db: Database): Promise<Plan> {
  const plan = await db.queryOne<Plan>`SELECT id, title, votes, labels, notes, due FROM task WHERE id = ${PLAN}`;
  if (!plan) throw new Error("The plan is not there: start over.");
  return plan;
}

function toggled(json: string, label: string): string {
  const set = readLabels(json);
  return JSON.stringify(set.includes(label) ? set.filter((l) => l !== label) : [...set, label]);
}

async function playMerge({ ana, ben }: Cast, pause: () => Promise<void>): Promise<void> {
  const plan = await planOf(ana);
  const title = titles[(titles.indexOf(plan.title) + 1) % titles.length] ?? "Plan";
  await ana.exec`UPDATE task SET title = ${title} WHERE id = ${PLAN}`;
  await pause();
  await ben.exec`UPDATE task SET votes = votes + 1 WHERE id = ${PLAN}`;
  await pause();
  await ana.exec`UPDATE task SET votes = votes + 1 WHERE id = ${PLAN}`;
  await pause();
  await ben.exec`UPDATE task SET labels = ${toggled(plan.labels, "music")} WHERE id = ${PLAN}`;
  await pause();
  await ana.exec`UPDATE task SET labels = ${toggled(plan.labels, "food")} WHERE id = ${PLAN}`;
  await pause();
  await ben.exec`UPDATE task SET notes = notes || ${" Ben brings the cake."} WHERE id = ${PLAN}`;
  await pause();
  await ana.exec`UPDATE task SET notes = ${"Open at nine. "} || notes WHERE id = ${PLAN}`;
}

async function playConflict({ ana, ben }: Cast, pause: () => Promise<void>): Promise<void> {
  const { due } = await planOf(ana);
  const [first, second] = days.filter((d) => d !== due);
  await ana.exec`UPDATE task SET due = ${second ?? null} WHERE id = ${PLAN}`;
  await pause();
  await ben.exec`UPDATE task SET due = ${first ?? null} WHERE id = ${PLAN}`;
}

async function playRejection(cast: Cast, pause: () => Promise<void>): Promise<void> {
  const taken = await cast.ben.query<Booking>`SELECT slot, holder FROM booking`;
  const slot = slots.find((s) => !taken.some((b) => b.slot === s)) ?? slots[1];
  if (taken.some((b) => b.slot === slot)) {
    await cast.ben.exec`DELETE FROM booking WHERE slot = ${slot}`;
    await cast.ana.exec`DELETE FROM booking WHERE slot = ${slot}`;
    await pause();
  }
  await cast.ana.exec`INSERT INTO booking (slot, holder) VALUES (${slot}, ${ana.name})`;
  await pause();
  await cast.ben.exec`INSERT INTO booking (slot, holder) VALUES (${slot}, ${ben.name})`;
}

export const scenarios: readonly Scenario[] = [
  {
    id: "merge",
    title: "Edits merge",
    task: "Change the title on one side. Vote, add labels and type notes on both.",
    outcome: "Votes added up, labels collected, both people's sentences stand. Nobody's edit is gone.",
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
