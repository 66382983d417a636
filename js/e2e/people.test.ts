import type { Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { counts, type DemoStage, demoStage, gone, shows, write } from "./demo-stage.ts";
import { browser, until } from "./harness.ts";

describe.skipIf(browser === "")("the people of the demo", () => {
  let s: DemoStage;
  let ana: Page;

  const addresses: string[] = [];

  beforeAll(async () => {
    s = await demoStage();
    ana = s.page;
    const note = (r: { url(): string }): unknown => addresses.push(r.url());
    ana.context().on("request", note);
    ana.on("websocket", note);
    ana.context().on("page", (p) => p.on("websocket", note));
    await ana.goto(`${s.url}#/tracker/budget`);
    await shows(card(ana), "Sell the old engine");
  });
  afterAll(() => s?.end());
  afterEach(async (test) => {
    if (test.task.result?.state === "fail") {
      const pages = ana.context().pages();
      for (const [i, page] of pages.entries()) await s.shot(`failed-${test.task.id}-${i}`, page);
    }
    expect(s.complaints.splice(0)).toEqual([]);
  });

  const card = (page: Page): Locator => page.locator(".card-title");
  const tab = (page: Page, board: string): Locator => page.locator(`[data-board="${board}"]`);
  const faces = (page: Page, board: string, who: string): Locator => tab(page, board).locator(`[data-faces="${who}"]`);
  const inStep = (page: Page): Promise<void> => shows(page.locator(".standing"), "In step");
  const button = (page: Page, name: string): Locator => page.getByRole("button", { name, exact: true });

  test("each tab is somebody, with the boards that they are on", async () => {
    for (const board of ["opening", "website", "building", "budget"]) await tab(ana, board).waitFor();
    await tab(ana, "budget").locator(".board-lock").waitFor();
    expect(await tab(ana, "opening").locator(".board-lock").count()).toBe(0);
    const chloe = await s.tab("chloe");
    await shows(chloe.locator(".who"), "You are Chloe");
    await shows(card(chloe), "Ask the brass band");
    await counts(chloe.locator(".board-tab"), 3);
    // Who one is does not stay in the address, and survives a reload.
    expect(new URL(chloe.url()).search).toBe("");
    await chloe.reload();
    await shows(chloe.locator(".who"), "You are Chloe");
    await shows(ana.locator(".who"), "You are Ana");
    await chloe.close();
  });

  test("who is here is seen by those who are on the board", async () => {
    const ben = await s.tab("ben", "#/tracker/budget");
    await faces(ana, "budget", "ben").waitFor();
    await faces(ben, "budget", "ana").waitFor();
    await card(ben).filter({ hasText: "What the band may cost" }).click();
    await shows(ana.locator(".card", { hasText: "What the band may cost" }).locator(".card-readers"), "Ben");
    await s.shot("people-presence");
    await card(ana).filter({ hasText: "What the band may cost" }).click();
    await shows(ana.locator(".also-here"), "Ben is looking at this, too");
    await shows(ben.locator(".also-here"), "Ana is looking at this, too");
    await s.shot("people-task");
    for (const page of [ana, ben]) await page.keyboard.press("Escape");
    // Chloe sees Ben where both are, and nothing of where she is not.
    const chloe = await s.tab("chloe", "#/tracker/opening");
    await tab(ben, "opening").click();
    await faces(chloe, "opening", "ben").waitFor();
    await faces(ana, "opening", "ben chloe").waitFor();
    expect(await chloe.locator("[data-faces~=ana]").count()).toBe(0);
    await ben.close();
    await chloe.close();
  });

  test("a board comes and leaves while one looks", async () => {
    const chloe = await s.tab("chloe", "#/tracker/budget");
    await shows(chloe.locator(".absent"), "You are not on this board");
    await s.shot("people-absent", chloe);
    await ana.locator(".on-board").click();
    await button(ana, "Let in Chloe").click();
    await shows(card(chloe), "Sell the old engine");
    await shows(chloe.locator("[data-news=came]"), "You are on Budget now");
    await s.shot("people-dialog");
    await ana.locator('[data-member="chloe"] select').selectOption("viewer");
    await shows(chloe.locator(".notice-calm"), "You are a viewer here");
    await shows(chloe.locator(".on-board"), "3 people");
    await s.shot("people-came", chloe);
    await button(ana, "Take off Chloe").click();
    await shows(chloe.locator("[data-news=left]"), "Budget left: you are not on it any more");
    await shows(chloe.locator("[data-news=left]"), "rows are gone from this device");
    await shows(chloe.locator(".absent"), "You are not on this board");
    await gone(tab(chloe, "budget"));
    await s.shot("people-left", chloe);
    // In again, and out: she is seen there again by those who are there.
    await gone(faces(ana, "budget", "chloe"));
    await button(ana, "Let in Chloe").click();
    await faces(ana, "budget", "chloe").waitFor();
    await faces(chloe, "budget", "ana").waitFor();
    await button(ana, "Take off Chloe").click();
    await gone(tab(chloe, "budget"));
    await ana.keyboard.press("Escape");
    await shows(card(ana), "Sell the old engine");
    await chloe.close();
  });

  test("what was written into a board that was taken away is refused and kept", async () => {
    await ana.locator(".on-board").click();
    await button(ana, "Let in Chloe").click();
    const chloe = await s.tab("chloe", "#/tracker/budget");
    await card(chloe).filter({ hasText: "Sell the old engine" }).waitFor();
    await inStep(chloe);
    await chloe.getByRole("switch", { name: "Network of the tracker" }).click();
    await card(chloe).filter({ hasText: "Sell the old engine" }).click();
    await write(chloe.locator(".field-title"), "Keep the old engine");
    await chloe.keyboard.press("Escape");
    await shows(chloe.locator(".standing"), "Offline · 1 waiting");
    await button(ana, "Take off Chloe").click();
    await gone(ana.locator(".people [data-member=chloe] select"));
    await ana.keyboard.press("Escape");
    await s.served("SELECT count(*) FROM member WHERE board_id = 'budget' AND person_id = 'chloe'", "0");
    await chloe.getByRole("switch", { name: "Network of the tracker" }).click();
    await shows(chloe.locator(".notice-rejected"), "forbidden");
    await shows(chloe.locator(".notice-rejected"), "Keep the old engine");
    await shows(chloe.locator(".absent"), "You are not on this board");
    await s.shot("people-refused", chloe);
    await shows(card(ana), "Sell the old engine");
    await button(chloe, "Discard").click();
    await gone(chloe.locator(".notice-rejected"));
    await chloe.close();
  });

  test("what a viewer edits all the same is refused, kept, and taken once he may", async () => {
    const dev = await s.tab("dev", "#/tracker/opening");
    const choir = card(dev).filter({ hasText: "Ask the brass band" });
    await choir.waitFor();
    await shows(dev.locator(".notice-calm"), "You are a viewer here");
    expect(await dev.locator("[data-add]").count()).toBe(0);
    await choir.click();
    expect(await dev.locator(".field-title").isDisabled()).toBe(true);
    await dev.locator(".comment-form input").fill("A viewer may comment.");
    await dev.keyboard.press("Enter");
    await shows(dev.locator(".comment"), "A viewer may comment.");
    await dev.keyboard.press("Escape");
    await inStep(dev);
    await button(dev, "Try an edit anyway").click();
    await choir.click();
    await write(dev.locator(".field-title"), "Ask the pipers");
    await dev.keyboard.press("Escape");
    await shows(dev.locator(".notice-rejected"), "Ask the pipers");
    await shows(dev.locator(".notice-rejected"), "forbidden");
    await shows(card(dev), "Ask the brass band");
    await s.shot("people-viewer", dev);
    // An owner makes him an editor: the edit that was kept goes through.
    await tab(ana, "opening").click();
    await ana.locator(".on-board").click();
    await ana.locator('[data-member="dev"] select').selectOption("editor");
    await gone(dev.locator(".notice-calm"));
    await button(dev, "Try again").click();
    await shows(card(ana), "Ask the pipers");
    await gone(dev.locator(".notice-rejected"));
    await ana.keyboard.press("Escape");
    await dev.close();
  });

  test("a new board is its maker's alone, until he lets others in; and one may leave", async () => {
    const ben = await s.tab("ben", "#/tracker/opening");
    await button(ben, "Add a board").click();
    await write(ben.locator(".board-add"), "Night shift");
    await shows(ben.locator(".board-tab[aria-current]"), "Night shift");
    await shows(ben.locator(".on-board"), "1 person");
    await inStep(ben);
    await ben.locator('[data-add="todo"]').fill("Oil the lamps");
    await ben.keyboard.press("Enter");
    await shows(card(ben), "Oil the lamps");
    await inStep(ben);
    await ben.locator(".on-board").click();
    await button(ben, "Let in Ana").click();
    await shows(ana.locator("[data-news=came]"), "You are on Night shift now");
    await ana.getByRole("link", { name: "Show it" }).click();
    await shows(card(ana), "Oil the lamps");
    await ana.locator(".on-board").click();
    await s.shot("people-editor-dialog");
    await button(ana, "Leave this board").click();
    await shows(ana.locator("[data-news=left]"), "Night shift left");
    await gone(ben.locator(".people [data-member=ana] select"));
    await ben.keyboard.press("Escape");
    await shows(card(ben), "Oil the lamps");
    await ben.close();
    await ana.locator("[data-news=left]").getByRole("button", { name: "Close" }).click();
  });

  test("one may be somebody else in the same tab, with another database", async () => {
    await tab(ana, "opening").click();
    await ana.keyboard.press("w");
    await s.shot("people-who");
    await ana.getByRole("dialog").getByRole("button", { name: "Dev" }).click();
    await shows(ana.locator(".who"), "You are Dev");
    await shows(card(ana), "Ask the pipers");
    await counts(ana.locator(".board-tab"), 3);
    const names = await ana.evaluate(async () => (await navigator.locks.query()).held?.map((l) => l.name) ?? []);
    expect(names.some((n) => n?.includes("tracker-dev"))).toBe(true);
    await ana.keyboard.press("w");
    await ana.getByRole("dialog").getByRole("button", { name: "Ana" }).click();
    await shows(ana.locator(".who"), "You are Ana");
    await shows(tab(ana, "budget"), "Budget");
  });

  test("no address has a token in it", async () => {
    expect(addresses.filter((a) => a.endsWith("/demo/token")).length).toBeGreaterThan(0);
    expect(addresses.filter((a) => a.includes("eyJ"))).toEqual([]);
    // Another site gets none: without the page's own origin the desk is closed.
    const status = async (origin?: string): Promise<number> => {
      const headers = { "Content-Type": "application/json", ...(origin && { Origin: origin }) };
      return (await fetch(`${s.url}demo/token`, { method: "POST", headers, body: '{"person":"ana"}' })).status;
    };
    expect(await status("https://elsewhere.example")).toBe(403);
    expect(await status()).toBe(403);
    expect(await status(new URL(s.url).origin)).toBe(200);
  });

  test("it fits a phone, and the dark", async () => {
    const dev = await s.tab("chloe", "#/tracker/opening");
    await shows(card(dev), "Ask the pipers");
    const fits = (): Promise<void> =>
      until(dev, () => document.documentElement.scrollWidth - document.documentElement.clientWidth, 0);
    await dev.setViewportSize({ width: 390, height: 844 });
    await fits();
    await s.shot("people-phone", dev);
    await dev.locator(".on-board").click();
    await s.shot("people-phone-dialog", dev);
    await fits();
    await dev.keyboard.press("Escape");
    await dev.locator(".who").click();
    await s.shot("people-phone-who", dev);
    await fits();
    await dev.keyboard.press("Escape");
    await dev.goto(`${s.url}#/tracker/budget`);
    await dev.locator(".absent").waitFor();
    await fits();
    await s.shot("people-phone-absent", dev);
    await dev.setViewportSize({ width: 1360, height: 900 });
    await dev.emulateMedia({ colorScheme: "dark" });
    await s.shot("people-dark-absent", dev);
    await tab(dev, "opening").click();
    await dev.locator(".on-board").click();
    await s.shot("people-dark-dialog", dev);
    await dev.close();
  });
});
