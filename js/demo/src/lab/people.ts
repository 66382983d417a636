/** Somebody in the lab, with a replica of their own. */
export interface Person {
  readonly id: "ana" | "ben" | "chloe";
  readonly name: string;
  readonly hue: number;
}

export const ana: Person = { id: "ana", name: "Ana", hue: 25 };
export const ben: Person = { id: "ben", name: "Ben", hue: 250 };
export const chloe: Person = { id: "chloe", name: "Chloe", hue: 150 };

export const people: readonly Person[] = [ana, ben, chloe];

/** What the people of the lab share; the columns are those of its table. */
export interface Plan {
  readonly id: string;
  readonly title: string;
  readonly votes: number;
  readonly labels: string;
  readonly notes: string;
  readonly due: string | null;
}

export interface Booking {
  readonly slot: string;
  readonly holder: string;
}

export const slots = ["9:00", "10:00", "11:00"] as const;
export const days = ["Friday", "Saturday", "Sunday"] as const;
export const labels = ["spring", "outdoors", "music", "food"] as const;

/** Key of the one plan. */
export const PLAN = "stall";
