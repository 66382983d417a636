import { useDatabase, useQuery } from "@tidemark/react";
import { readLabels } from "../labels.ts";
import type { Act } from "../ui/act.ts";
import { useArrival } from "../ui/arrival.ts";
import { UpIcon } from "../ui/icons.tsx";
import { LiveText } from "../ui/live-text.tsx";
import { days, labels, type Person, PLAN, type Plan } from "./people.ts";

interface Props {
  readonly person: Person;
  readonly act: Act["act"];
}

const PLAN_QUERY = "SELECT id, title, votes, labels, notes, due FROM task WHERE id = ?";
const PLAN_PARAMS = [PLAN];

/** The plan as one person has it. Every field merges by a policy of its own. */
export function PlanCard({ person, act }: Props) {
  const { rows, loading } = useQuery<Plan>(PLAN_QUERY, PLAN_PARAMS);
  const plan = rows[0];
  if (loading) return <div className="plan skeleton" aria-hidden="true" />;
  if (!plan) return <p className="plan-gone">The plan was deleted. “Start over” brings it back.</p>;
  return <PlanFields plan={plan} person={person} act={act} />;
}

function PlanFields({ plan, person, act }: Props & { readonly plan: Plan }) {
  const db = useDatabase();
  return (
    <div className="plan" data-cell={`task:${plan.id}`}>
      <div className="plan-head">
        <LiveText
          label={`Title, on ${person.name}'s side`}
          className="plan-title"
          value={plan.title}
          required
          hue={person.hue}
          onCommit={(title) => act(() => db.exec`UPDATE task SET title = ${title} WHERE id = ${plan.id}`)}
        />
        <Votes plan={plan} person={person} act={act} />
      </div>
      <Labels plan={plan} person={person} act={act} />
      <Days plan={plan} person={person} act={act} />
      <LiveText
        label={`Notes, on ${person.name}'s side`}
        className="plan-notes"
        multiline
        placeholder="Notes"
        value={plan.notes}
        hue={person.hue}
        onCommit={(notes) => act(() => db.exec`UPDATE task SET notes = ${notes} WHERE id = ${plan.id}`)}
      />
    </div>
  );
}

function Votes({ plan, person, act }: Props & { readonly plan: Plan }) {
  const db = useDatabase();
  const { ref, expect } = useArrival<HTMLButtonElement, number>(plan.votes, person.hue);
  const vote = (): void => {
    expect(plan.votes + 1);
    act(() => db.exec`UPDATE task SET votes = votes + 1 WHERE id = ${plan.id}`);
  };
  return (
    <button ref={ref} type="button" className="votes" onClick={vote} aria-label={`Vote. Votes so far: ${plan.votes}`}>
      <UpIcon size={16} />
      <span className="votes-count">{plan.votes}</span>
    </button>
  );
}

function Labels({ plan, person, act }: Props & { readonly plan: Plan }) {
  const db = useDatabase();
  const { ref, expect } = useArrival<HTMLFieldSetElement, string>(plan.labels, person.hue);
  const set = readLabels(plan.labels);
  const all = [...labels, ...set.filter((l) => !(labels as readonly string[]).includes(l))];
  const toggle = (label: string): void => {
    const next = JSON.stringify(set.includes(label) ? set.filter((l) => l !== label) : [...set, label]);
    expect(next);
    act(() => db.exec`UPDATE task SET labels = ${next} WHERE id = ${plan.id}`);
  };
  return (
    <fieldset ref={ref} className="chips">
      <legend className="visually-hidden">Labels</legend>
      {all.map((l) => (
        <button key={l} type="button" className="chip" aria-pressed={set.includes(l)} onClick={() => toggle(l)}>
          {l}
        </button>
      ))}
    </fieldset>
  );
}

function Days({ plan, person, act }: Props & { readonly plan: Plan }) {
  const db = useDatabase();
  const { ref, expect } = useArrival<HTMLFieldSetElement, string | null>(plan.due, person.hue);
  const choose = (day: string): void => {
    expect(day);
    act(() => db.exec`UPDATE task SET due = ${day} WHERE id = ${plan.id}`);
  };
  return (
    <fieldset ref={ref} className="segments" data-field="due">
      <legend className="visually-hidden">Day</legend>
      {days.map((d) => (
        <button key={d} type="button" className="segment" aria-pressed={plan.due === d} onClick={() => choose(d)}>
          {d}
        </button>
      ))}
    </fieldset>
  );
}
