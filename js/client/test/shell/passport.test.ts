import fc from "fast-check";
import { afterEach, expect, test, vi } from "vitest";
import { codeOf } from "../../src/error.ts";
import { atOnce, type Work } from "../../src/lite/work.ts";
import { Address } from "../../src/sync/address.ts";
import { ownTokens, subjectOf } from "../../src/sync/passport.ts";
import { Shell } from "../../src/sync/shell.ts";
import { decodeDown } from "../../src/wire/down.ts";
import { Origin, people } from "../replica/fixture.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

const encode = (claims: unknown): string => Buffer.from(JSON.stringify(claims)).toString("base64url");
const tokenOf = (sub: unknown): string => `${encode({ alg: "none" })}.${encode({ sub })}.c2ln`;

test("whose a token says it is", () => {
  expect(subjectOf(tokenOf("ana"))).toBe("ana");
  expect(subjectOf(tokenOf("Ünal 𝄞"))).toBe("Ünal 𝄞");
  for (const text of [
    "",
    "opaque",
    "..",
    "a.b.c",
    `${tokenOf("ana")}.x`,
    tokenOf(5),
    `x.${encode(null)}.y`,
    "x.W10.y",
  ]) {
    expect(subjectOf(text), text).toBe("");
  }
  fc.assert(
    fc.property(fc.string(), (s) => {
      expect(typeof subjectOf(s)).toBe("string");
    }),
  );
});

test("the tokens of others are not given out", async () => {
  let [token, owner] = [tokenOf("ana"), ""];
  const own = ownTokens(
    async () => token,
    () => owner,
  );
  expect(await own()).toBe(token);
  owner = "ana";
  token = tokenOf("ben");
  await expect(own()).rejects.toMatchObject({ code: "forbidden" });
  token = "opaque"; // the link began with another one: nobody knows whose this is
  await expect(own()).rejects.toMatchObject({ code: "busy" });
  const opaque = ownTokens(
    async () => token,
    () => owner,
  );
  expect(await opaque()).toBe("opaque");
  expect(await opaque()).toBe("opaque");
});

/** A copy of ana's that has something to send, and the loop around it. */
function desk(transport: "websocket" | "http", tokens: () => Promise<string>) {
  const d = new Origin(people).clone();
  const text = `["w",1,"s","inc","term","r1","t",0,"${d.r.hello().schema}","AQIDBAUGBwgJCgsMDQ4PEA",1,[],false,"ana",0]`;
  const welcome = decodeDown(text);
  if (welcome.type !== "welcome") throw new Error("no welcome");
  atOnce(d.r.welcome(welcome, 5));
  d.commit("INSERT INTO person (name) VALUES ('hers')");
  const nothing = () => undefined;
  const shell = new Shell({
    ...{ replica: d.r, address: new Address("http://127.0.0.1/s"), transport, tokens, renew: tokens },
    ...{ rand: (n: number) => new Uint8Array(n), flush: nothing, enter: nothing, note: nothing, stepped: nothing },
    work: <T>(work: Work<T>, then: (result: T) => void) => then(atOnce(work)),
    fault: (err: unknown) => {
      throw err;
    },
    presence: { receive: nothing, welcome: nothing, gone: nothing },
  });
  return { d, shell };
}

test.each(["websocket", "http"] as const)("nothing goes out under another's token over %s", async (transport) => {
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (url: string) => {
    asked.push(url);
    return new Response("", { status: 500 });
  });
  vi.stubGlobal(
    "WebSocket",
    class {
      constructor(url: string) {
        asked.push(url);
      }
    },
  );
  const { d, shell } = desk(transport, async () => tokenOf("ben"));
  const code = await shell.sync(new AbortController().signal).catch(codeOf);
  expect([code, shell.state, asked]).toEqual(["forbidden", "auth needed", []]);
  expect(d.r.status()).toMatchObject({ pending: 1, principal: "ana" });
  shell.stop();
});

test("a welcome of somebody else is not taken", () => {
  const { d, shell } = desk("http", async () => "");
  const text = `["w",1,"s","inc","term","r1","t2",0,"","AQIDBAUGBwgJCgsMDQ4PEA",1,[],false,"ben",0]`;
  const welcome = decodeDown(text);
  if (welcome.type !== "welcome") throw new Error("no welcome");
  expect(() => atOnce(d.r.welcome(welcome, 6))).toThrow(expect.objectContaining({ code: "forbidden" }));
  expect(d.r.status()).toMatchObject({ pending: 1, principal: "ana" });
  expect(d.r.hello().ticket).toBe("t");
  shell.stop();
});
