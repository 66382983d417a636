import { useRef } from "react";
import { SearchIcon } from "../ui/icons.tsx";
import { useShortcuts } from "../ui/shortcuts.ts";
import { ALL, type Filter, filters } from "./filter.ts";

interface Props {
  readonly filter: Filter;
  readonly labels: readonly string[];
  readonly onChange: (filter: Filter) => void;
}

export function FilterBar({ filter, labels, onChange }: Props) {
  const field = useRef<HTMLInputElement>(null);
  useShortcuts({ "/": () => field.current?.focus() });
  return (
    <search className="filter-bar">
      <label className="search">
        <SearchIcon size={16} />
        <span className="visually-hidden">Search</span>
        <input
          ref={field}
          type="search"
          value={filter.text}
          placeholder="Search"
          onChange={(e) => onChange({ ...filter, text: e.currentTarget.value })}
          onKeyDown={(e) => {
            if (e.key !== "Escape") return;
            onChange({ ...filter, text: "" });
            e.currentTarget.blur();
          }}
        />
        <span className="kbd" aria-hidden="true">
          /
        </span>
      </label>
      <button
        type="button"
        className="chip"
        aria-pressed={filter.mine}
        onClick={() => onChange({ ...filter, mine: !filter.mine })}
      >
        Mine
      </button>
      {labels.map((l) => (
        <button
          key={l}
          type="button"
          className="chip"
          aria-pressed={filter.label === l}
          onClick={() => onChange({ ...filter, label: filter.label === l ? "" : l })}
        >
          {l}
        </button>
      ))}
      {filters(filter) && (
        <button type="button" className="link" onClick={() => onChange(ALL)}>
          Show all
        </button>
      )}
    </search>
  );
}
