/** The panel's style: a constructed sheet, as strict pages demand. Colours follow the scheme of the page, or else of the system. */
export const STYLE = `
:host {
  --ground: light-dark(#fbfbfa, #16191d); --raised: light-dark(#fff, #1e2227); --line: light-dark(#dddcd7, #343a42);
  --text: light-dark(#1c1e21, #e8e8e4); --dim: light-dark(#5f6470, #9aa1ac); --accent: light-dark(#0b6e6e, #4fc3bd);
  --good: light-dark(#1a7f4b, #5ccf8f); --warn: light-dark(#9a5b00, #e5ae55); --bad: light-dark(#b3261e, #f2857c);
  font: 13px/1.45 ui-sans-serif, system-ui, sans-serif; color: var(--text);
}
:host([floating]) { position: fixed; right: 12px; bottom: 12px; z-index: 2147483000; }
* { box-sizing: border-box; }
button, textarea, input { font: inherit; color: inherit; }
button { border: 1px solid var(--line); border-radius: 6px; background: var(--raised); padding: 3px 10px; cursor: pointer; }
button:hover { border-color: var(--accent); }
button[aria-disabled] { opacity: .5; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
.launch { display: flex; align-items: center; gap: 8px; border-radius: 99px; padding: 7px 14px; box-shadow: 0 2px 10px #0003; }
.panel { display: flex; flex-direction: column; background: var(--ground); border: 1px solid var(--line); overflow: hidden; height: 100%; min-height: 320px; }
:host([floating]) .panel { width: min(760px, calc(100vw - 24px)); height: min(520px, calc(100vh - 24px)); border-radius: 12px; box-shadow: 0 12px 40px #0005; }
[hidden] { display: none !important; }
header { display: flex; align-items: center; gap: 10px; padding: 9px 12px; border-bottom: 1px solid var(--line); background: var(--raised); }
header strong { font-weight: 650; }
header .now { color: var(--dim); flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.dot { width: 9px; height: 9px; border-radius: 50%; background: var(--dim); flex: none; }
.dot.good { background: var(--good); } .dot.warn { background: var(--warn); } .dot.bad { background: var(--bad); }
[role=tablist] { display: flex; gap: 2px; padding: 6px 8px 0; border-bottom: 1px solid var(--line); overflow-x: auto; scrollbar-width: thin; }
[role=tab] { border: 0; border-radius: 6px 6px 0 0; background: none; padding: 5px 10px; color: var(--dim); white-space: nowrap; border-bottom: 2px solid transparent; }
[role=tab][aria-selected=true] { color: var(--text); border-bottom-color: var(--accent); }
.count { margin-left: 6px; padding: 0 6px; border-radius: 99px; background: var(--line); color: var(--text); font-size: 11px; }
[role=tabpanel] { flex: 1; overflow: auto; padding: 12px; min-height: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 0; }
dt { color: var(--dim); } dd { margin: 0; overflow-wrap: anywhere; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); } .dim { color: var(--dim); }
.actions { display: flex; flex-wrap: wrap; gap: 6px; margin: 12px 0 0; align-items: center; }
.card { background: var(--raised); border: 1px solid var(--line); border-radius: 8px; padding: 8px 10px; margin: 0 0 8px; }
.card h3 { margin: 0 0 4px; font-size: 13px; font-weight: 600; display: flex; gap: 8px; align-items: baseline; flex-wrap: wrap; }
.card h3 .dim { font-weight: 400; } .card .actions { margin-top: 8px; }
.card ul { margin: 4px 0 0; padding-left: 18px; overflow-wrap: anywhere; }
.notice { border-left: 3px solid var(--warn); padding: 6px 10px; margin: 0 0 12px; background: var(--raised); }
.empty { color: var(--dim); text-align: center; margin: 32px 0; }
.scroll { overflow: auto; border: 1px solid var(--line); border-radius: 8px; background: var(--raised); max-height: 100%; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: 4px 10px; border-bottom: 1px solid var(--line); vertical-align: top; white-space: pre-wrap; overflow-wrap: break-word; }
th { color: var(--dim); font-weight: 500; white-space: nowrap; position: sticky; top: 0; background: var(--raised); }
tr:last-child td { border-bottom: 0; } .number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
code, pre, textarea, td code { font: 12px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
textarea { width: 100%; min-height: 74px; resize: vertical; border: 1px solid var(--line); border-radius: 8px; background: var(--raised); padding: 8px 10px; }
pre { margin: 0; padding: 10px; border: 1px solid var(--line); border-radius: 8px; background: var(--raised); overflow: auto; max-height: 300px; white-space: pre-wrap; overflow-wrap: anywhere; }
p { margin: 0 0 10px; } .result { margin-top: 10px; }
@media (max-width: 560px) { :host([floating]) { right: 0; bottom: 0; left: 0; } :host([floating]) .panel { width: 100%; border-radius: 12px 12px 0 0; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 6px; } }
@media print { :host { display: none; } }
`;
