import { useDatabase, useQuery } from "@tidemark/react";
import type { Act } from "../ui/act.ts";
import { type Booking, type Person, people, slots } from "./people.ts";

interface Props {
  readonly person: Person;
  readonly act: Act["act"];
}

const BOOKINGS = "SELECT slot, holder FROM booking";

/** One van, three hours: a slot has one holder, whoever asks offline. */
export function SlotList({ person, act }: Props) {
  const { rows } = useQuery<Booking>(BOOKINGS);
  return (
    <div className="slots">
      <h3 className="slots-title" id={`van-${person.id}`}>
        Book the van
      </h3>
      <ul className="slots-list" aria-labelledby={`van-${person.id}`}>
        {slots.map((slot) => (
          <li key={slot}>
            <Slot slot={slot} holder={rows.find((b) => b.slot === slot)?.holder ?? ""} person={person} act={act} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function Slot({ slot, holder, person, act }: Props & { readonly slot: string; readonly holder: string }) {
  const db = useDatabase();
  const own = holder === person.name;
  const others = holder !== "" && !own;
  const toggle = (): void =>
    act(() =>
      own
        ? db.exec`DELETE FROM booking WHERE slot = ${slot}`
        : db.exec`INSERT INTO booking (slot, holder) VALUES (${slot}, ${person.name})`,
    );
  const hue = people.find((p) => p.name === holder)?.hue;
  return (
    <button
      type="button"
      className="slot"
      data-cell={`booking:${slot}`}
      data-held={holder !== ""}
      style={hue === undefined ? undefined : ({ "--hue": String(hue) } as React.CSSProperties)}
      disabled={others}
      aria-pressed={own}
      onClick={toggle}
    >
      <span className="slot-time">{slot}</span>
      <span className="slot-holder">{holder === "" ? "free" : own ? "yours" : holder}</span>
      <span className="visually-hidden">{holder === "" ? "Book it" : own ? "Release it" : "Taken"}</span>
    </button>
  );
}
