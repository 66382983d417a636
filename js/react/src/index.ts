export { type PresenceResult, useCasts, usePresence } from "./presence.ts";
export { type DatabaseSource, TidemarkProvider, type TidemarkProviderProps, useDatabase } from "./provider.ts";
export { type QueryOptions, type QueryResult, useQuery } from "./query.ts";
export { type ScopeOptions, type ScopeResult, useScope, useScopes } from "./scope.ts";
export { useConflicts, usePending, useRejected, useStatus } from "./status.ts";
