import type { Param, Query, Row } from "@tidemark/client";
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { useOpening } from "./provider.ts";
import { still, storeOf, textOf } from "./store.ts";

/** What useQuery gives; the same object until something changes. */
export interface QueryResult<T = Row> {
  /** Rows that did not change are the same objects as before. Empty while loading. */
  readonly rows: readonly T[];
  /** No result yet. */
  readonly loading: boolean;
  /** Why the query failed, or null. The rows before stand. */
  readonly error: Error | null;
}

/** Options of useQuery. */
export interface QueryOptions {
  /** Columns by which rows are told apart; default: the primary keys where the result has them, else the whole row. */
  readonly key?: string | readonly string[];
  /** Give every INTEGER as a bigint. */
  readonly bigint?: boolean;
  /** While another query or other parameters load, go on with the rows of before. */
  readonly keepPrevious?: boolean;
}

const LOADING: QueryResult<never> = { rows: [], loading: true, error: null };
const IDLE: QueryResult<never> = { rows: [], loading: false, error: null };

/**
 * The rows of a query, kept up to date: the component renders again when they
 * change and not otherwise. Components with equal queries share one. A query of
 * null gives no rows.
 */
export function useQuery<T = Row>(
  query: string | Query | null,
  params: readonly Param[] = [],
  options: QueryOptions = {},
): QueryResult<T> {
  const db = useOpening();
  const [sql, values] = query === null || typeof query === "string" ? [query, params] : [query.sql, query.params];
  const { key, bigint } = options;
  const name = textOf([sql, values, key, bigint]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the name says all of the query
  const store = useMemo(() => {
    if (sql === null) return still<QueryResult<T>>(IDLE);
    if (db === null) return still<QueryResult<T>>(LOADING);
    const watchOptions = { ...(key === undefined ? {} : { key }), ...(bigint === undefined ? {} : { bigint }) };
    return storeOf<QueryResult<T>>(db, name, LOADING, (set) => {
      let rows: readonly T[] = [];
      const onError = (error: Error): void => set({ rows, loading: false, error });
      return db.watch<T>(
        sql,
        values,
        (next) => {
          rows = next;
          set({ rows, loading: false, error: null });
        },
        { ...watchOptions, onError },
      );
    });
  }, [db, name]);
  const result = useSyncExternalStore<QueryResult<T>>(store.subscribe, store.snapshot, () =>
    sql === null ? IDLE : LOADING,
  );
  return usePrevious(result, options.keepPrevious ?? false);
}

function usePrevious<T>(result: QueryResult<T>, keep: boolean): QueryResult<T> {
  const last = useRef<readonly T[]>(result.rows);
  useEffect(() => {
    if (!result.loading) last.current = result.rows;
  });
  return useMemo(
    () => (keep && result.loading && last.current.length > 0 ? { ...result, rows: last.current } : result),
    [keep, result],
  );
}
