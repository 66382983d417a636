import type { Locator, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type DemoStage, demoStage, gone, shows } from "./demo-stage.ts";
import { browser, until } from "./harness.ts";

describe.skipIf(browser === "")("boards of the demo", () => {
  let s: DemoStage;
  let ana: Page;
  let ben: Page;

  beforeAll(async () => {
    s = await demoStage();
    ana = s.page;
    await ana.goto(`${s.url}#/tracker/opening`);
    await shows(card(ana), "Ask the brass band");
    ben = await s.tab("ben", "#/tracker/opening");
    await shows(card(ben), "Ask the brass band");
  });
  afterAll(() => s?.end());
  afterEach(async (test) => {
    if (test.task.result?.state === "fail") {
      for (const [i, page] of ana.context().pages().entries()) await s.shot(`failed-${test.task.id}-${i}`, page);
    }
    expect(s.complaints.splice(0)).toEqual([]);
  });

  const card = (page: Page): Locator => page.locator(".card-title");
  const tab = (page: Page, board: string): Locator => page.locator(`[data-board="${board}"]`);
  const button = (page: Page, name: string): Locator => page.getByRole("button", { name, exact: true });
  const menu = (page: Page, board: string): Locator => button(page, `Rename or delete ${board}`);
  const item = (page: Page, name: string | RegExp): Locator => page.getByRole("menuitem", { name });
  const field = (page: Page): Locator => page.locator(".board-add");
  const inStep = (page: Page): Promise<void> => shows(page.locator(".standing"), "In step");
  const network = (page: Page): Promise<void> => page.getByRole("switch", { name: "Network of the tracker" }).click();
  /** What has the focus, by what it is or says. */
  const focused = (page: Page, want: string): Promise<void> =>
    until(
      page,
      () => {
        const el = document.activeElement;
        return el?.getAttribute("data-board") ?? el?.getAttribute("aria-label") ?? el?.textContent ?? "";
      },
      want,
    );

  test("a board is renamed in its place with keys alone, and others see it live", async () => {
    await tab(ana, "opening").focus();
    await ana.keyboard.press("F2");
    await focused(ana, "New name of Opening day");
    await ana.keyboard.type("Nobody shall see this");
    await ana.keyboard.press("Escape");
    await focused(ana, "opening");
    await shows(tab(ana, "opening"), "Opening day");

    await ana.keyboard.press("F2");
    await ana.keyboard.type("The great day");
    await s.shot("boards-rename", ana);
    await ana.keyboard.press("Enter");
    await focused(ana, "opening");
    await shows(tab(ben, "opening"), "The great day");
    await inStep(ana);

    // The same from the menu; who leaves the field keeps the name, who empties it the old one.
    await menu(ana, "The great day").focus();
    await ana.keyboard.press("Enter");
    await focused(ana, "RenameF2");
    await ana.keyboard.press("ArrowDown");
    await focused(ana, "Delete…");
    await ana.keyboard.press("ArrowDown");
    await ana.keyboard.press("Enter");
    await focused(ana, "New name of The great day");
    await field(ana).fill("  ");
    await ana.keyboard.press("Enter");
    await shows(tab(ana, "opening"), "The great day");
    await ana.keyboard.press("F2");
    await field(ana).fill("Opening day");
    await ana.locator(".column-head").first().click();
    await shows(tab(ben, "opening"), "Opening day");
  });

  test("a name that two give offline is the later one's, everywhere", async () => {
    await tab(ana, "budget").click();
    await button(ana, "Add a board").click();
    await field(ana).fill("Ferry");
    await ana.keyboard.press("Enter");
    await shows(ana.locator(".board-tab[aria-current]"), "Ferry");
    await ana.locator(".on-board").click();
    await button(ana, "Let in Ben").click();
    await ana.locator('[data-member="ben"] select').selectOption("owner");
    await ana.keyboard.press("Escape");
    await ben.locator(".board-tab", { hasText: "Ferry" }).click();
    // Who may change what others are is an owner, and knows it.
    await ben.locator(".on-board").click();
    await ben.locator('[data-member="ana"] select').waitFor();
    await ben.keyboard.press("Escape");
    await gone(ben.getByRole("dialog"));
    await network(ana);
    for (const [page, name] of [
      [ana, "The old ferry"],
      [ben, "The ferry library"],
    ] as const) {
      await page.keyboard.press("F2");
      await field(page).fill(name);
      await page.keyboard.press("Enter");
      await shows(page.locator(".board-tab[aria-current]"), name);
    }
    await s.served("SELECT count(*) FROM board WHERE name = 'The ferry library'", "1");
    await network(ana);
    await shows(ben.locator(".board-tab"), "The old ferry");
    await shows(ana.locator(".board-tab"), "The old ferry");
  });

  test("who is no owner reads why, and what he tries all the same comes back", async () => {
    await tab(ben, "opening").click();
    await menu(ben, "Opening day").click();
    await shows(ben.locator(".menu-why"), "Only an owner renames or deletes this board: Ana.");
    await s.shot("boards-barred", ben);
    for (const name of [/Rename/, /Delete/]) {
      expect(await item(ben, name).getAttribute("aria-disabled")).toBe("true");
      await item(ben, name).click({ force: true });
    }
    expect(await field(ben).count()).toBe(0);
    expect(await ben.getByRole("dialog").count()).toBe(0);
    await ben.keyboard.press("Escape");
    await focused(ben, "Rename or delete Opening day");
    await ben.keyboard.press("F2");
    await shows(ben.getByRole("alert"), "Only an owner renames or deletes this board");
    await ben.getByRole("alert").getByRole("button").click();

    const dev = await s.tab("dev", "#/tracker/opening");
    await shows(card(dev), "Ask the brass band");
    await inStep(dev);
    await button(dev, "Try an edit anyway").click();
    await menu(dev, "Opening day").click();
    await item(dev, /Delete/).click();
    await button(dev, "Delete the board").click();
    await shows(dev.locator(".notice-rejected"), "of the board “Opening day”");
    await shows(dev.locator(".notice-rejected"), "forbidden");
    await tab(dev, "opening").waitFor();
    expect(await dev.locator("[data-deleted]").count()).toBe(0);
    await s.shot("boards-refused", dev);
    // It came back, which is no news; and who answers with keys does not lose the place.
    expect(await dev.locator("[data-news]").count()).toBe(0);
    await button(dev, "Discard").focus();
    await dev.keyboard.press("Enter");
    await gone(dev.locator(".notice-rejected"));
    await until(dev, () => document.activeElement !== document.body, true);
    await shows(tab(ana, "opening"), "Opening day");
    await dev.close();
  });

  test("the question says what goes with a board, and no is the first answer", async () => {
    await tab(ana, "budget").click();
    await menu(ana, "Budget").focus();
    for (const key of ["Enter", "End", "Enter"]) await ana.keyboard.press(key);
    const dialog = ana.getByRole("dialog");
    await shows(dialog, "With it go 4 tasks and 1 comment.");
    await shows(dialog, "Ben loses it, too.");
    await shows(dialog, "you can undo it");
    await s.shot("boards-question", ana);
    await focused(ana, "Keep it");
    await ana.keyboard.press("Enter");
    await gone(dialog);
    await focused(ana, "Rename or delete Budget");
    for (const key of ["Enter", "End", "Enter"]) await ana.keyboard.press(key);
    await focused(ana, "Keep it");
    await ana.keyboard.press("Escape");
    await gone(dialog);
    await focused(ana, "Rename or delete Budget");
    await tab(ana, "budget").waitFor();
    // What others wrote cannot be written again in their names: that is said before.
    await tab(ana, "opening").click();
    await menu(ana, "Opening day").click();
    await item(ana, /Delete/).click();
    await shows(dialog, "It cannot be undone");
    await ana.keyboard.press("Escape");
  });

  test("a board that is deleted offline takes along what others did meanwhile, and says so", async () => {
    await tab(ana, "budget").click();
    await tab(ben, "budget").click();
    await shows(card(ben), "What the band may cost");
    await network(ana);
    await menu(ana, "Budget").click();
    await item(ana, /Delete/).click();
    await shows(ana.getByRole("dialog"), "You are offline");
    await s.shot("boards-question-offline", ana);
    await button(ana, "Delete the board").click();
    await gone(tab(ana, "budget"));
    const notice = ana.locator("[data-deleted=budget]");
    await shows(notice, "is deleted on this device, with 4 tasks and 1 comment");
    await shows(ana.locator(".standing"), "Offline · 1 waiting");
    await shows(ana.locator(".board-tab[aria-current]"), /./);
    await until(ana, () => document.activeElement?.className, "board-tab");
    await s.shot("boards-deleted-offline", ana);

    // Ben has it still, and works on it.
    await card(ben).filter({ hasText: "What the band may cost" }).click();
    await ben.locator(".field-title").fill("What the band may cost at most");
    await ben.keyboard.press("Enter");
    await s.served("SELECT count(*) FROM task WHERE title = 'What the band may cost at most'", "1");
    await network(ana);
    await shows(notice, "Somebody had changed it meanwhile");
    await s.shot("boards-deleted-merged", ana);
    // His task, and the board under it, go in front of his eyes.
    await gone(ben.getByRole("dialog"));
    await gone(tab(ben, "budget"));
    await shows(ben.locator("[data-news=left]"), "Budget left: you are not on it any more, or an owner deleted it");
    await shows(ben.locator(".absent"), "This device holds nothing of it");
    await s.shot("boards-vanished", ben);
    await focused(ben, await ben.locator(".absent .button").innerText());
    await ben.keyboard.press("Enter");
    await shows(ben.locator(".board-tab[aria-current]"), /./);
  });

  test("it is undone as long as the tab is open, and comes back to everybody", async () => {
    await button(ana, "Undo").click();
    await shows(ana.locator(".board-tab[aria-current]"), "Budget");
    await shows(card(ana), "What the band may cost");
    await gone(ana.locator("[data-deleted]"));
    await shows(ben.locator("[data-news=came]"), "You are on Budget now");
    await tab(ben, "budget").click();
    await shows(card(ben), "What the band may cost");
    await shows(ben.locator(".on-board"), "2 people");
    await card(ben).filter({ hasText: "What the band may cost" }).click();
    await shows(ben.locator(".comment"), "half of what the chairs cost");
    await ben.keyboard.press("Escape");
  });

  test("what was written offline on a board that is gone is refused and kept", async () => {
    await network(ben);
    await card(ben).filter({ hasText: "Sell the old engine" }).click();
    await ben.locator(".field-title").fill("Keep the old engine");
    await ben.keyboard.press("Enter");
    await ben.keyboard.press("Escape");
    await shows(ben.locator(".standing"), "1 waiting");
    await menu(ana, "Budget").click();
    await item(ana, /Delete/).click();
    await button(ana, "Delete the board").click();
    await shows(ana.locator("[data-deleted=budget]"), "was deleted, with 4 tasks");
    await s.served("SELECT count(*) FROM board WHERE id = 'budget'", "0");
    await network(ben);
    await shows(ben.locator(".notice-rejected"), "Keep the old engine");
    await shows(ben.locator(".absent"), "You are not on this board");
    await button(ben, "Discard").click();
    await gone(ben.locator(".notice-rejected"));
  });
});
