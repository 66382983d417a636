import { useCallback, useState } from "react";

/** A small choice that outlives the page, where the browser lets it. */
export function useStored<T extends string>(key: string, initial: T): readonly [T, (value: T) => void] {
  const [value, setValue] = useState<T>(() => (read(key) as T | null) ?? initial); // only we write under this key
  const set = useCallback(
    (next: T) => {
      setValue(next);
      write(key, next);
    },
    [key],
  );
  return [value, set];
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Blocked: then it holds until the page is left.
  }
}
