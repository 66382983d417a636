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

const settled = (): Promise<void> => new Promise((done) => setTimeout(done));

/** A link of which the first request was answered, with the requests that it made. */
async function greeted(hello: () => Promise<Hello>): Promise<{ link: RoundTrips; bodies: string[] }> {
  const bodies: string[] = [];
  vi.stubGlobal("fetch", (_: string, { body, signal }: { body: string; signal: AbortSignal }) => {
    bodies.push(body);
    if (bodies.length === 1)
      return Promise.resolve(new Response("", { headers: { "Content-Type": "application/x-ndjson" } }));
    return new Promise((_, reject) => {
      signal.throwIfAborted();
      signal.addEventListener("abort", () => reject(signal.reason));
    });
  });
  const host = { address: new Address("http://127.0.0.1/s"), ways: new Ways(), tokens: async () => "", hello };
  const link = new RoundTrips(host, () => {}, false);
  link.send([greeting]);
  await settled();
  return { link, bodies };
}

test("what is sent while the next request is made up is in it, or ends it", async () => {
  for (let turns = 0; turns < 12; turns++) {
    let resolve: (h: Hello) => void = () => {};
    const { link, bodies } = await greeted(() => new Promise((done) => (resolve = done)));
    expect(bodies).toHaveLength(1);
    resolve(greeting);
    for (let i = 0; i < turns; i++) await null;
    const question: Up = { type: "askRanges", id: 987654321, table: 1, after: null, upto: null, bounds: [] };
    link.send([question]);
    await settled();
    if (bodies.length === 2 && !bodies[1]!.includes("987654321")) resolve(greeting); // the next one after it ended
    await settled();
    expect([turns, bodies.some((b) => b.includes("987654321"))]).toEqual([turns, true]);
    link.close();
  }
});
