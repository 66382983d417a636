import type { Database } from "@tidemark/client";
import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useRef,
  useState,
} from "react";

/** Where a database comes from: it is there, it is being opened, or a function opens it. */
export type DatabaseSource = Database | Promise<Database> | (() => Promise<Database>);

/** Props of TidemarkProvider. */
export interface TidemarkProviderProps {
  /**
   * The database, a promise of it, or a function that opens it. A function is
   * called once, in the browser only, after the first render, and what it opened
   * is closed when the provider goes. Any other database is its owner's to close.
   */
  readonly database: DatabaseSource;
  /** Shown until the database is open. Without it the children are shown at once, and their hooks say that they are loading. */
  readonly fallback?: ReactNode;
  readonly children?: ReactNode;
}

interface Opened {
  readonly source: DatabaseSource | null;
  readonly db: Database | null;
  readonly error: unknown;
}

const Context = createContext<Database | null | undefined>(undefined);

const isOpen = (source: DatabaseSource): source is Database => typeof source === "object" && !("then" in source);

/** Gives the components below it a database. A database that cannot be opened is thrown to the next error boundary. */
export function TidemarkProvider({ database, fallback, children }: TidemarkProviderProps): ReactElement {
  const [opened, setOpened] = useState<Opened>({ source: null, db: null, error: undefined });
  const own = useRef<{ promise: Promise<Database>; timer?: ReturnType<typeof setTimeout> } | null>(null);
  const latest = useRef(database);
  // An inline function is another one in each render.
  const source = typeof database === "function" ? null : database;
  useEffect(() => {
    latest.current = database;
  });
  useEffect(() => {
    if (source !== null && isOpen(source)) return;
    let gone = false;
    const take = (promise: Promise<Database>): void => {
      promise.then(
        (db) => gone || setOpened({ source, db, error: undefined }),
        (error) => gone || setOpened({ source, db: null, error: error ?? new Error("the database cannot be opened") }),
      );
    };
    if (source !== null) {
      take(source);
      return () => {
        gone = true;
      };
    }
    clearTimeout(own.current?.timer);
    // Strict mode lets effects go and come back: the database stays.
    own.current ??= { promise: typeof latest.current === "function" ? latest.current() : Promise.reject() };
    const mine = own.current;
    take(mine.promise);
    return () => {
      gone = true;
      mine.timer = setTimeout(() => {
        own.current = null;
        mine.promise.then((db) => db.close()).catch(() => {});
      });
    };
  }, [source]);

  const known = opened.source === source ? opened : null;
  if (known?.error !== undefined) throw known.error;
  const db = source !== null && isOpen(source) ? source : (known?.db ?? null);
  const shown = db === null && fallback !== undefined ? fallback : children;
  return createElement(Context.Provider, { value: db }, shown);
}

/** The database, or null while it is being opened. */
export function useOpening(): Database | null {
  const db = useContext(Context);
  if (db === undefined) throw new Error("there is no TidemarkProvider above this component");
  return db;
}

/** The database of the provider above. Throws while it is being opened: use it below a provider with a fallback, or in handlers of what useStatus says is there. */
export function useDatabase(): Database {
  const db = useOpening();
  if (db === null)
    throw new Error("the database is not open yet: give TidemarkProvider a fallback, or an open database");
  return db;
}
