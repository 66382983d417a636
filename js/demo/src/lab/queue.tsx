import type { PendingChangeset } from "@tidemark/client";
import { usePending } from "@tidemark/react";
import { sayChanges } from "../describe.ts";
import { ClockIcon } from "../ui/icons.tsx";
import { SaidList } from "../ui/said-list.tsx";
import type { Person } from "./people.ts";

/** What one replica has written and the server has not judged yet. */
export function Queue({ person }: { readonly person: Person }) {
  const pending = usePending();
  return (
    <div className="queue" data-part="queue">
      <h3 className="part-title">
        Waiting <span className="count">{pending.length}</span>
      </h3>
      {pending.length === 0 ? (
        <p className="part-empty">Nothing waits to be sent.</p>
      ) : (
        <ol className="entries" aria-label={`Changesets of ${person.name} that wait`}>
          {pending.map((p) => (
            <Waiting key={p.n} changeset={p} />
          ))}
        </ol>
      )}
    </div>
  );
}

function Waiting({ changeset }: { readonly changeset: PendingChangeset }) {
  return (
    <li className={changeset.suspended ? "entry entry-away" : "entry entry-wait"}>
      <ClockIcon size={15} />
      <SaidList said={sayChanges(changeset.changes)} />
      {changeset.suspended && <span className="entry-note">laid aside: {changeset.cause}</span>}
    </li>
  );
}
