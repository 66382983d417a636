import { useCallback, useState } from "react";

/** A small choice that outlives the page, where the browser lets it. */
export function useStored<T extends string>(key: string, initial: T): readonly [T, (value: T) => void] {
  const [value, setValue] = useState<T>(() => (readStored(key) as T | null) ?? initial); // only we write under this key
  const set = useCallback(
    (next: T) => {
      setValue(next);
      writeStored(key, next);
    },
    [key],
  );
  return [value, set];
}

/** Where something is kept: for all tabs, or for this one. */
type Place = "local" | "session";

export function readStored(key: string, place: Place = "local"): string | null {
  try {
    return storage(place).getItem(key);
  } catch {
    return null;
  }
}

export function writeStored(key: string, value: string, place: Place = "local"): void {
  try {
    storage(place).setItem(key, value);
  } catch {
    // Blocked: then it holds until the page is left.
  }
}

function storage(place: Place): Storage {
  return place === "local" ? localStorage : sessionStorage;
}
