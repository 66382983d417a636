import { useState } from "react";
import { sayLog } from "../describe.ts";
import { Avatar } from "../ui/avatar.tsx";
import { CopyIcon, CrossIcon, DeviceIcon, ServerIcon, TerminalIcon } from "../ui/icons.tsx";
import { SaidList } from "../ui/said-list.tsx";
import type { LogEntry, ServerLog } from "./log-feed.ts";
import { authorOf, type Names } from "./names.ts";
import type { Refusal } from "./refusals.ts";

interface Props {
  readonly log: ServerLog;
  readonly refusals: readonly Refusal[];
  readonly names: Names;
}

/** The server: what it accepted, in the one order that all copies follow. */
export function ServerColumn({ log, refusals, names }: Props) {
  return (
    <section className="panel server" aria-label="The server's log" data-person="server">
      <header className="panel-head">
        <span className="server-mark" aria-hidden="true">
          <ServerIcon size={20} />
        </span>
        <div className="panel-name">
          <h2>Server</h2>
          <p className="panel-status">
            {log.reachable ? `One order for all: #${log.head}` : "It cannot be reached; everyone works on"}
          </p>
        </div>
      </header>
      <ol className="entries log" aria-live="polite">
        {lines(log.entries, refusals).map((line) =>
          "person" in line ? (
            <Refused key={`${line.person.id} ${line.n}`} refusal={line} />
          ) : (
            <Entry key={line.seq} entry={line} names={names} />
          ),
        )}
      </ol>
      {log.entries.length === 0 && <p className="part-empty">Nothing was accepted yet. Change something.</p>}
      <Shell />
    </section>
  );
}

/** The log, with each refusal where it fell. */
function lines(entries: readonly LogEntry[], refusals: readonly Refusal[]): readonly (LogEntry | Refusal)[] {
  return [...refusals, ...entries].sort((a, b) => b.seq - a.seq); // the sort is stable: a refusal stands over its seq
}

function Refused({ refusal }: { readonly refusal: Refusal }) {
  const { person, code, about, message } = refusal;
  return (
    <li className="entry entry-log entry-refused">
      <CrossIcon size={16} />
      <Avatar name={person.name} hue={person.hue} />
      <span className="said-by">
        <span className="author">{person.name}: refused</span>
        <span>
          <span className="said-column">{about}</span> <code>{code}</code>: {message}
        </span>
      </span>
    </li>
  );
}

function Entry({ entry, names }: { readonly entry: LogEntry; readonly names: Names }) {
  const person = authorOf(names, entry.replica);
  const byHand = entry.replica === "file";
  const name = person?.name ?? (byHand ? "sqlite3" : "another device");
  return (
    <li className="entry entry-log" data-seq={entry.seq}>
      <span className="seq">#{entry.seq}</span>
      {person && <Avatar name={name} hue={person.hue} />}
      {!person && <span className="log-icon">{byHand ? <TerminalIcon size={16} /> : <DeviceIcon size={16} />}</span>}
      <span className="said-by">
        <span className="author">{name}</span>
        <SaidList said={(entry.changes ?? []).flatMap(sayLog)} />
      </span>
    </li>
  );
}

const COMMAND = `sqlite3 demo/lab.sqlite "UPDATE task SET votes = votes + 10"`;

/** Any program may write into the served file; here is one to try. */
function Shell() {
  const [copied, setCopied] = useState(false);
  const copy = (): void => {
    navigator.clipboard?.writeText(COMMAND).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  };
  return (
    <div className="shell">
      <p>Or write into the served file from a terminal:</p>
      <div className="shell-line">
        <code>{COMMAND}</code>
        <button
          type="button"
          className="icon-button"
          onClick={copy}
          aria-label={copied ? "Copied" : "Copy the command"}
        >
          <CopyIcon size={16} />
        </button>
      </div>
    </div>
  );
}
