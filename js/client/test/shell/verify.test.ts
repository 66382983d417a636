import { afterEach, expect, test, vi } from "vitest";
import { FakeEngine } from "../replica/fake-engine.ts";
import { batch, welcome } from "../replica/messages.ts";
import { tableOf } from "../tables.ts";
import { deaf } from "./lines.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

const settled = (): Promise<void> => new Promise((done) => setTimeout(done));

test("a comparison that breaks off again and again is given up, and one that is asked for then is not", async () => {
  const engine = new FakeEngine();
  engine.schema = { ...engine.schema, tables: [tableOf({ key: ["BINARY"] })] };
  const shell = deaf(engine);
  const session = (): void => {
    shell.step({ type: "start" });
    shell.step({ type: "connected" });
    shell.step(welcome({ head: engine.seq }));
  };
  const ended = vi.fn();
  const verifying = shell.verify(new AbortController().signal).catch((err) => err);
  void verifying.then(ended);
  session();
  await settled();
  for (let i = 0; i < 3; i++) {
    expect([shell.state, ended.mock.calls]).toEqual(["verifying", []]);
    // What others write comes through: that is no failure to reach the server.
    shell.step(batch(engine.seq, engine.seq + 1));
    shell.step({ type: "disconnected", error: new Error("cut") });
    session();
  }
  expect(shell.state).toBe("idle");
  expect(await verifying).toMatchObject({ code: "offline", hint: expect.stringContaining("verify again") });
  const again = shell.verify(new AbortController().signal).catch((err) => err);
  await settled();
  expect(shell.state).toBe("verifying");
  shell.stop();
  expect(await again).toMatchObject({ message: "the database is closed" });
});
