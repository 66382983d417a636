import { useScopes } from "@tidemark/react";
import { LockIcon } from "../ui/icons.tsx";
import { scopeOf } from "./model.ts";

interface Props {
  readonly board: string;
  readonly away: boolean;
}

/** In the place of a board that this device does not hold. It comes by itself when somebody lets this person in. */
export function Absent({ board, away }: Props) {
  const scope = useScopes().find((s) => s.scope === scopeOf(board));
  const coming = scope?.granted === true && !scope.ready;
  return (
    <section className="absent" aria-label="This board is not here">
      <span className="absent-mark" aria-hidden="true">
        <LockIcon size={26} />
      </span>
      <h2>{coming ? "The board is on its way" : "You are not on this board"}</h2>
      <p>
        {coming
          ? `${scope.incoming} rows so far. They appear all at once.`
          : "So this device holds nothing of it. As soon as one of its owners lets you in, it appears here."}
        {away && " There is no connection to the server now."}
      </p>
    </section>
  );
}
