import { type RefObject, useCallback, useEffect, useRef } from "react";
import { glow } from "./motion.ts";

/**
 * Lets an element glow when its value changes and it was not this person who
 * changed it. Whoever writes says before what will come.
 */
export function useArrival<E extends Element, V>(
  value: V,
  hue: number,
): { ref: RefObject<E | null>; expect: (v: V) => void } {
  const ref = useRef<E>(null);
  const known = useRef(value);
  useEffect(() => {
    if (!Object.is(known.current, value)) glow(ref.current, hue);
    known.current = value;
  }, [value, hue]);
  const expect = useCallback((v: V) => {
    known.current = v;
  }, []);
  return { ref, expect };
}
