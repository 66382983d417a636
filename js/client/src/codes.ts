// Generated from spec/errors.json by internal/gen; do not edit.

/** A stable error code; spec/errors.json says what each means and what to do. */
export type Code =
  // Codes of rejected changesets. Some of them also answer a session or a request.
  | "forbidden"
  | "not_found"
  | "unique"
  | "foreign_key"
  | "check"
  | "not_null"
  | "stale"
  | "depends_on"
  | "schema"
  | "too_large"
  | "rate_limited"
  | "conflict"
  | "raised"
  | "type"
  | "internal"
  | "uncaptured"
  | "recovered"
  // Codes of refusals that end or delay a session. None of these is an outcome.
  | "fork"
  | "gap"
  | "incarnation"
  | "restored"
  | "wrong_space"
  | "unauthenticated"
  | "protocol"
  | "shutdown"
  // Codes of operations on files and of requests. None of these is an outcome.
  | "not_sqlite"
  | "encrypted"
  | "read_only"
  | "newer_format"
  | "wrong_role"
  | "not_adopted"
  | "violations"
  | "pending"
  | "file_replaced"
  | "busy"
  | "offline"
  | "exists"
  | "no_space"
  | "disk_full"
  | "corrupt"
  | "usage";

/** A code of the app's own, by which a hook of the server rejects: "app:" and a name. */
export type AppCode = `app:${string}`;
