import { useScopes } from "@tidemark/react";
import { useLayoutEffect, useRef } from "react";
import { formatRoute } from "../route.ts";
import { LockIcon, PlusIcon } from "../ui/icons.tsx";
import { type Board, scopeOf } from "./model.ts";

interface Props {
  readonly board: string;
  /** Another one to go to. */
  readonly next: Board | undefined;
  readonly away: boolean;
}

/** In the place of a board that this device does not hold. It comes by itself when somebody lets this person in. */
export function Absent({ board, next, away }: Props) {
  const scope = useScopes().find((s) => s.scope === scopeOf(board));
  const coming = scope?.granted === true && !scope.ready;
  const link = useRef<HTMLAnchorElement>(null);
  // Who had the focus on the board that went would have it nowhere.
  useLayoutEffect(() => {
    if (document.activeElement === document.body) link.current?.focus({ preventScroll: true });
  }, []);
  return (
    <section className="absent" aria-label="This board is not here">
      <span className="absent-mark" aria-hidden="true">
        <LockIcon size={26} />
      </span>
      <h2>{coming ? "The board is on its way" : "You are not on this board"}</h2>
      <p>
        {coming
          ? `${scope.incoming} rows so far. They appear all at once.`
          : "Or there is none of this name any more. This device holds nothing of it; if one of its owners lets you in, it appears here by itself."}
        {away && " There is no connection to the server now."}
      </p>
      {next && !coming && (
        <a ref={link} className="button" href={formatRoute("tracker", next.id)}>
          Go to {next.name}
        </a>
      )}
    </section>
  );
}

/** In the place of all boards, for whom there is none. */
export function NoBoard() {
  return (
    <section className="absent" aria-label="There is no board">
      <span className="absent-mark" aria-hidden="true">
        <PlusIcon size={26} />
      </span>
      <h2>You are on no board</h2>
      <p>Add one with the plus above, or ask somebody to let you in: then it appears here by itself.</p>
    </section>
  );
}
