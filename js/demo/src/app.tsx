import { useEffect, useState } from "react";
import { useInspector } from "./inspector.ts";
import { Lab } from "./lab/lab.tsx";
import { useMe } from "./me.ts";
import { formatRoute, type Place, useRoute } from "./route.ts";
import { Tracker } from "./tracker/tracker.tsx";
import { Help } from "./ui/help.tsx";
import { InspectIcon, KeyboardIcon, Mark } from "./ui/icons.tsx";
import { useShortcuts } from "./ui/shortcuts.ts";
import { ThemeButton } from "./ui/theme.tsx";

const places: readonly { readonly id: Place; readonly name: string }[] = [
  { id: "lab", name: "Lab" },
  { id: "tracker", name: "Tracker" },
];

export function App() {
  const route = useRoute();
  const [me, setMe] = useMe();
  const [help, setHelp] = useState(false);
  const inspect = useInspector(route.place, me);
  const go = (place: Place) => (): void => {
    location.hash = formatRoute(place);
  };
  useEffect(() => {
    document.title = `${route.place === "lab" ? "Lab" : "Tracker"} · Tidemark`;
  }, [route.place]);
  useShortcuts({ "?": () => setHelp(true), "g l": go("lab"), "g t": go("tracker"), i: inspect });
  return (
    <>
      <button type="button" className="skip" onClick={skip}>
        Skip to the content
      </button>
      <header className="top">
        <a className="brand" href={formatRoute("lab")} aria-label="Tidemark">
          <Mark />
          <span>Tidemark</span>
        </a>
        <nav className="places" aria-label="Places">
          {places.map((p) => (
            <a key={p.id} href={formatRoute(p.id)} aria-current={route.place === p.id ? "page" : undefined}>
              {p.name}
            </a>
          ))}
        </nav>
        <div className="top-tools">
          <button type="button" className="icon-button" onClick={inspect} aria-label="Inspector" title="Inspector (i)">
            <InspectIcon />
          </button>
          <button
            type="button"
            className="icon-button only-wide"
            onClick={() => setHelp(true)}
            aria-label="Keys"
            title="Keys (?)"
          >
            <KeyboardIcon />
          </button>
          <ThemeButton />
        </div>
      </header>
      {route.place === "lab" ? <Lab /> : <Tracker key={me} route={route} me={me} onChoose={setMe} />}
      {help && <Help onClose={() => setHelp(false)} />}
    </>
  );
}

/** The part behind # is the route, so a link cannot do it. */
function skip(): void {
  const main = document.getElementById("main");
  main?.setAttribute("tabindex", "-1");
  main?.focus();
}
