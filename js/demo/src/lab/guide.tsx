import { useState } from "react";
import { messageOf } from "../ui/act.ts";
import { CheckIcon, PlayIcon } from "../ui/icons.tsx";
import type { Progress, Stage } from "./progress.ts";
import { type Cast, prepare, type Scenario, scenarios, type Turn } from "./scenarios.ts";

interface Props {
  readonly cast: Cast | null;
  readonly progress: Progress;
  /** Name of the one who is offline, or would be. */
  readonly awayName: string;
  readonly onBegin: () => void;
  /** Brings a panel into view where one is shown at a time. */
  readonly onShow: (id: string) => void;
}

const order: readonly Stage[] = ["cut", "edit", "join", "done"];

/** The line of suggestions over the lab, which notices what was done. */
export function Guide({ cast, progress, awayName, onBegin, onShow }: Props) {
  const [scenario, setScenario] = useState<Scenario>(scenarios[0] as Scenario); // there are three
  const player = usePlayer(cast, onBegin, onShow);
  const steps = [`Turn ${awayName}'s network off.`, scenario.task, `Turn ${awayName}'s network on again.`];
  const at = order.indexOf(progress.stage);
  const choose = (s: Scenario): void => {
    setScenario(s);
    onBegin();
  };
  return (
    <section className="guide" aria-label="Things to try">
      <div className="guide-tabs">
        {scenarios.map((s) => (
          <button
            key={s.id}
            type="button"
            className="guide-tab"
            aria-pressed={s.id === scenario.id}
            disabled={player.playing}
            onClick={() => choose(s)}
          >
            {s.title}
          </button>
        ))}
      </div>
      <ol className="guide-steps">
        {steps.map((text, i) => (
          <li key={text} className="guide-step" aria-current={i === at ? "step" : undefined} data-done={i < at}>
            <span className="guide-number" aria-hidden="true">
              {i < at ? <CheckIcon size={14} /> : i + 1}
            </span>
            <span>
              {text}
              {i < at && <span className="visually-hidden"> Done.</span>}
            </span>
          </li>
        ))}
      </ol>
      <div className="guide-end">
        <button
          type="button"
          className="button button-main"
          disabled={!cast || player.playing}
          onClick={() => player.play(scenario)}
        >
          <PlayIcon size={15} /> {player.playing ? "Watch…" : "Show me"}
        </button>
      </div>
      <p className="guide-outcome" role="status">
        {player.problem || (progress.stage === "done" ? scenario.outcome : "")}
      </p>
    </section>
  );
}

/** Time between two steps that are shown. */
const BEAT = 750;

const beat = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, BEAT));

interface Player {
  readonly playing: boolean;
  readonly problem: string;
  readonly play: (s: Scenario) => void;
}

function usePlayer(cast: Cast | null, onBegin: () => void, onShow: (id: string) => void): Player {
  const [playing, setPlaying] = useState(false);
  const [problem, setProblem] = useState("");
  const perform = async (s: Scenario, c: Cast): Promise<void> => {
    const turn: Turn = async (who) => {
      onShow(who);
      await beat();
      return c[who];
    };
    await prepare(c);
    onBegin();
    await (await turn("ana")).setNetwork(false);
    await s.play(c, turn);
    await beat();
    await (await turn("ana")).setNetwork(true);
  };
  const play = (s: Scenario): void => {
    if (!cast) return;
    setPlaying(true);
    setProblem("");
    perform(s, cast)
      .catch((err: unknown) => setProblem(messageOf(err)))
      .finally(() => setPlaying(false));
  };
  return { playing, problem, play };
}
