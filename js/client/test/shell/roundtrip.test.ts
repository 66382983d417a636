import { afterEach, expect, test, vi } from "vitest";
import { Address } from "../../src/sync/address.ts";
import { RoundTrips } from "../../src/sync/roundtrip.ts";
import { Ways } from "../../src/sync/transport.ts";
import type { Hello, Up } from "../../src/wire/up.ts";
import { FakeEngine } from "../replica/fake-engine.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

const greeting = new FakeEngine().hello();

/** Waits, for as long as a test may take. */
async function until(ok: () => boolean): Promise<void> {
  while (!ok()) await new Promise((done) => setTimeout(done));
}

test("what is sent while the next request is made up is in it, or ends it", async () => {
  for (let turns = 0; turns < 12; turns++) {
    const hellos: ((h: Hello) => void)[] = [];
    const bodies: string[] = [];
    vi.stubGlobal("fetch", (_: string, { body, signal }: { body: string; signal: AbortSignal }) => {
      if (bodies.push(body) === 1)
        return Promise.resolve(new Response("", { headers: { "Content-Type": "application/x-ndjson" } }));
      return new Promise((_, reject) => {
        signal.throwIfAborted();
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    });
    const host = { address: new Address("http://127.0.0.1/s"), ways: new Ways(), tokens: async () => "" };
    const hello = (): Promise<Hello> => new Promise((done) => hellos.push(done));
    const link = new RoundTrips({ ...host, hello }, () => {}, false);
    link.send([greeting]);
    await until(() => hellos.length === 1);
    hellos[0]!(greeting);
    for (let i = 0; i < turns; i++) await null;
    const question: Up = { type: "askRanges", id: 987654321, table: 1, after: null, upto: null, bounds: [] };
    link.send([question]);
    const sent = (): string[] => bodies.filter((b) => b.includes("987654321"));
    await until(() => sent().length > 0 || hellos.length === 2);
    hellos[1]?.(greeting);
    await until(() => sent().length > 0);
    expect(sent()).toHaveLength(1);
    link.close();
  }
});
