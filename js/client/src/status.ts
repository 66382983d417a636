import type { Status } from "./database.ts";

/** The status of a database of which nothing is known yet. */
export const unknown: Status = {
  phase: "opening",
  waiting: "",
  storage: null,
  leader: false,
  progress: null,
  online: true,
  sync: "offline",
  connected: false,
  error: null,
  seq: 0,
  head: 0,
  pending: 0,
  suspended: 0,
  rejected: 0,
  conflicts: 0,
  proven: false,
  contact: 0,
  readOnly: false,
  replica: "",
  space: "",
  server: "",
  out: {},
  scopes: [],
};
