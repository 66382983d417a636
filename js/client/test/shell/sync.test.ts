import { afterEach, expect, test, vi } from "vitest";
import { Address } from "../../src/sync/address.ts";
import { dialSocket } from "../../src/sync/socket.ts";
import { Ways } from "../../src/sync/transport.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

test("a page that may open no WebSocket is told why, or goes on without one", async () => {
  const forbidden = class {
    constructor() {
      throw new DOMException("an insecure WebSocket may not be opened from a secure page", "SecurityError");
    }
  };
  const dial = () =>
    dialSocket(
      new Address("http://127.0.0.1/s"),
      () => {},
      new Ways(),
      async () => "",
      new AbortController().signal,
    );
  vi.stubGlobal("WebSocket", forbidden);
  vi.stubGlobal("fetch", async () => new Response("{}", { headers: { "Content-Type": "application/json" } }));
  expect(await dial()).toMatchObject({ error: { code: "offline" }, mayFallBack: true });
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("mixed content")));
  expect(await dial()).toMatchObject({ error: { code: "offline" }, mayFallBack: false });
});
