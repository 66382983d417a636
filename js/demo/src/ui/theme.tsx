import { useEffect } from "react";
import { MoonIcon, SunIcon, SunMoonIcon } from "./icons.tsx";
import { useStored } from "./stored.ts";

const themes = ["auto", "light", "dark"] as const;
const icons = { auto: SunMoonIcon, light: SunIcon, dark: MoonIcon };
const names = { auto: "as the system", light: "light", dark: "dark" };

/** Steps through the themes. The stylesheets know two; auto is the system's. */
export function ThemeButton() {
  const [theme, setTheme] = useStored<(typeof themes)[number]>("tidemark-theme", "auto");
  useEffect(() => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }, [theme]);
  const Icon = icons[theme] ?? SunMoonIcon;
  const next = themes[(themes.indexOf(theme) + 1) % themes.length] ?? "auto";
  return (
    <button
      type="button"
      className="icon-button"
      onClick={() => setTheme(next)}
      aria-label={`Colours: ${names[theme]}. Change to ${names[next]}`}
      title={`Colours: ${names[theme]}`}
    >
      <Icon />
    </button>
  );
}
