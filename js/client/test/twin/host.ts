// Runs replicas for the harness of internal/twin: requests come as lines of
// JSON on stdin, each is answered by a line on stdout. Nothing else may be
// printed there.
import { createInterface } from "node:readline";
import { loadSqlite } from "../../src/lite/load.ts";
import { clock, TwinDevice } from "./device.ts";
import type { Request } from "./requests.ts";

console.log = console.error;
Date.now = () => clock.now;

const sqlite = await loadSqlite({ wasmUrl: process.argv[2] ?? "" });
const devices = new Map<string, TwinDevice>();

function answer(r: Request): unknown {
  if (r.do === "create" || r.do === "adopt") {
    devices.set(r.device, r.do === "create" ? TwinDevice.create(sqlite, r) : TwinDevice.adopt(sqlite, r));
    return "";
  }
  const d = devices.get(r.device);
  if (!d) throw new Error(`no device ${r.device}`);
  switch (r.do) {
    case "image":
      return d.image();
    case "reopen":
      return d.reopen();
    case "dump":
      return d.dump();
    case "report":
      return d.report();
    case "wants":
      return d.wants();
    case "subscribe":
      return d.subscribe(r.now, r.only, r.want);
    case "close":
      devices.delete(r.device);
      return d.close();
    case "write":
      return d.write(r.now, r.stmts, r.own, r.loose);
    case "tamper":
      return d.tamper(r.now, r.stmts);
    case "step":
      return d.step(r.now, r.event);
    case "ddl":
      return d.redefine(r.now, r.sql);
    case "retry":
    case "discard":
    case "replace":
      return d.dispose(r);
  }
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })) {
  let out: unknown;
  try {
    // The harness is the only one that writes here.
    out = { ok: answer(JSON.parse(line) as Request) ?? null };
  } catch (err) {
    out = { error: err instanceof Error ? (err.stack ?? err.message) : String(err) };
  }
  process.stdout.write(`${JSON.stringify(out)}\n`);
}
