import type { CSSProperties } from "react";

/** Colours of a person follow from one hue, in both themes. */
export function hueStyle(hue: number): CSSProperties {
  return { "--hue": String(hue) } as CSSProperties; // custom properties are not in React's type
}

interface AvatarProps {
  readonly name: string;
  readonly hue: number;
  readonly size?: "small" | "large";
}

/** A person as an initial on their colour. The name stands beside it, or in the title. */
export function Avatar({ name, hue, size = "small" }: AvatarProps) {
  return (
    <span className={`avatar avatar-${size}`} style={hueStyle(hue)} title={name} aria-hidden="true">
      {[...name][0] ?? "?"}
    </span>
  );
}
