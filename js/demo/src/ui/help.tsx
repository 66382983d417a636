import { Dialog } from "./dialog.tsx";

const keys: readonly (readonly [string, string])[] = [
  ["g l", "go to the lab"],
  ["g t", "go to the tracker"],
  ["/", "search the tasks"],
  ["n", "add a task"],
  ["↑ ↓ ← →", "walk over the cards"],
  ["Enter", "open the card"],
  ["Space", "lift the card; arrows carry it, Space puts it down, Escape back"],
  ["v", "vote for the card"],
  ["w", "be somebody else"],
  ["p", "who is on the board"],
  ["F2", "rename the board; Enter keeps the name, Escape gives up"],
  ["o", "the tracker's network off, or on again"],
  ["i", "open the inspector"],
  ["?", "this list"],
];

export function Help({ onClose }: { readonly onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl className="keys">
        {keys.map(([key, what]) => (
          <div key={key}>
            <dt>
              {key.split(" ").map((k) => (
                <kbd key={k}>{k}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
