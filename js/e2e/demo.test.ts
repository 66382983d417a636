import { rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type DemoStage, demoStage, gone, holds, type Side, shows, side, write } from "./demo-stage.ts";
import { browser, run, sqlite3, until } from "./harness.ts";

describe.skipIf(browser === "")("the demo", () => {
  let s: DemoStage;
  let ana: Side;
  let ben: Side;

  const openLab = async (): Promise<void> => {
    await s.page.goto(s.url);
    ana = side(s.page, "ana");
    ben = side(s.page, "ben");
    await shows(ana.status, "In step");
    await shows(ben.status, "In step");
  };

  const openTracker = async (): Promise<void> => {
    await s.page.goto(`${s.url}#/tracker`);
    await s.page.locator(".card").first().waitFor();
  };

  beforeAll(async () => {
    s = await demoStage();
    await openLab();
  });
  afterAll(() => s?.end());
  afterEach(async (test) => {
    if (test.task.result?.state === "fail") await s.shot(`failed-${test.task.id}`);
    expect(s.complaints.splice(0)).toEqual([]);
  });

  test("edits that were made offline queue and merge", async () => {
    await ana.network.click();
    await shows(ana.status, "Offline");
    await write(ana.title, "Plan the spring market");
    await ana.votes.click();
    await ana.button("music").click();
    await shows(ana.status, "3 waiting");
    await ben.votes.click();
    await ben.button("food").click();
    await write(ben.title, "Plan the autumn market");
    await shows(ben.all.locator(".entry-accepted"), "autumn");
    await s.shot("lab-offline");
    await ana.network.click();
    await shows(ben.votes, "4");
    await shows(ana.all.locator(".entry-merged"), "“Plan the autumn market” is kept");
    await s.shot("lab-merged");
    for (const one of [ana, ben]) {
      await holds(s.page, one.title, "Plan the spring market");
      for (const label of ["spring", "music", "food"])
        await one.all.locator(".chip[aria-pressed=true]", { hasText: label }).waitFor();
    }
    await ana.button("Restore it").click();
    await holds(s.page, ben.title, "Plan the autumn market");
  });

  test("two people's sentences stay in one text", async () => {
    await ana.network.click();
    await ana.notes.click();
    await s.page.keyboard.press("Control+Home");
    await s.page.keyboard.type("Open at nine. ");
    await ben.notes.click();
    await s.page.keyboard.press("Control+End");
    await s.page.keyboard.type(" Bring cake.");
    await shows(ben.all.locator(".entry-accepted"), "Bring cake");
    await shows(ana.status, /\d waiting/); // a slow keyboard may rest within the sentence
    await ana.network.click();
    const both = "Open at nine. Bring the blue awning. Ask Mo for the keys. Bring cake.";
    await holds(s.page, ana.notes, both);
    await holds(s.page, ben.notes, both);
  });

  test("a conflict is kept, and resolved on screen", async () => {
    await ana.network.click();
    await ana.button("Sunday").click();
    await ben.button("Saturday").click();
    await shows(ben.all.locator(".entry-accepted"), "Saturday");
    await ana.network.click();
    await shows(ben.all.locator(".notice-conflict"), "Ben says “Saturday”, Ana says “Sunday”");
    await s.shot("lab-conflict");
    await ben.button("Take “Sunday”").click();
    await gone(ana.all.locator(".notice-conflict"));
    await ana.all.locator(".segment[aria-pressed=true]", { hasText: "Sunday" }).waitFor();
  });

  test("what breaks a rule is rejected and rolled back", async () => {
    await ana.network.click();
    await ana.slot("10:00").click();
    await shows(ana.slot("10:00"), "yours");
    await ben.slot("10:00").click();
    await shows(ben.all.locator(".entry-accepted"), "10:00");
    await ana.network.click();
    await shows(ana.all.locator(".notice-rejected"), "unique");
    await shows(ana.slot("10:00"), "Ben");
    await shows(s.page.locator(".entry-refused"), "10:00");
    await s.shot("lab-rejected");
    await ana.button("Discard").click();
    await gone(ana.all.locator(".notice-rejected"));
  });

  test("each scenario shows itself", async () => {
    for (const name of ["Edits merge", "A conflict is kept", "A rule holds"]) {
      await s.page.getByRole("button", { name }).click();
      await s.page.getByRole("button", { name: "Show me" }).click();
      await s.page.locator(".guide-outcome:not(:empty)").waitFor();
      await shows(ana.status, "In step");
    }
    await ana.all.locator(".notice-conflict").waitFor();
    await ana.all.locator(".notice-rejected").waitFor();
    await s.page.getByRole("button", { name: "Start over" }).click();
    await gone(ana.all.locator(".notice"));
    await holds(s.page, ben.title, "Plan the market stall");
    await shows(ben.votes, /^2$/);
  });

  test("nothing that waits is lost by a reload, a kill, or a server that goes away", async () => {
    await ana.network.click();
    await ana.votes.click();
    await shows(ana.status, "1 waiting");
    await s.page.reload();
    await shows(ben.votes, "3");

    await ana.network.click();
    await ana.votes.click();
    await shows(ana.status, "1 waiting");
    await s.killBrowser();
    await openLab();
    await shows(ben.votes, "4");

    // The page itself opens without the server, too.
    await until(s.page, () => navigator.serviceWorker.controller !== null, true);
    await s.stopServer();
    await ana.votes.click();
    await shows(ana.status, "1 waiting");
    await s.page.reload();
    await shows(ana.status, "1 waiting");
    await shows(ben.votes, "4");
    await s.startServer();
    await shows(ben.votes, "5");
  });

  test("a third one joins and hears of everything", async () => {
    await s.page.getByRole("button", { name: "Add Chloe" }).click();
    const chloe = side(s.page, "chloe");
    await shows(chloe.votes, "5");
    await chloe.votes.click();
    await shows(ana.votes, "6");
    await s.shot("lab-three");
    await s.page.getByRole("button", { name: "Put Chloe away" }).click();
    await gone(chloe.all);
  });

  test("the page follows what sqlite3 and a Go client write", async () => {
    await openTracker();
    const titles = s.page.locator(".card-title");
    await sqlite3(
      join(s.dir, "tracker.sqlite"),
      "INSERT INTO task (board_id, title) VALUES ('opening', 'Written by hand')",
    );
    await shows(titles, "Written by hand");
    const copy = join(s.dir, "copy.db");
    const token = await s.token("ana");
    await run("clone", `${s.url}tracker`, copy, ...token);
    await sqlite3(copy, "UPDATE task SET title = 'Written in a clone' WHERE title = 'Written by hand'");
    await run("sync", copy, ...token);
    await shows(titles, "Written in a clone");
    await s.page.locator('[data-add="doing"]').fill("Typed on the page");
    await s.page.keyboard.press("Enter");
    await shows(titles, "Typed on the page");
    await s.served("SELECT count(*) FROM task WHERE title = 'Typed on the page'", "1");
    await run("sync", copy, ...token);
    expect(await sqlite3(copy, "SELECT state FROM task WHERE title = 'Typed on the page'")).toBe("doing\n");
    await run("verify", copy, ...token);
  });

  test("cards are carried with the mouse and with keys", async () => {
    const column = (state: string) => s.page.locator(`[data-column="${state}"] .card-title`);
    const card = s.page.locator(".card", { hasText: "Print the programme" });
    const from = (await card.boundingBox())!;
    const to = (await s.page.locator('[data-column="done"]').boundingBox())!;
    await s.page.mouse.move(from.x + 60, from.y + 12);
    await s.page.mouse.down();
    await s.page.mouse.move(to.x + 80, to.y + 60, { steps: 8 });
    await s.shot("tracker-carried");
    await s.page.mouse.up();
    await s.served("SELECT state FROM task WHERE title = 'Print the programme'", "done");
    await shows(column("done").first(), "Print the programme");

    await column("done").first().focus();
    for (const key of ["Space", "ArrowLeft", "ArrowDown", "Space"]) await s.page.keyboard.press(key);
    await shows(column("doing").nth(1), "Print the programme");
    const stored = "SELECT title FROM task WHERE board_id = 'opening' AND state = 'doing' ORDER BY rank, id";
    const shown = `${(await column("doing").allTextContents()).join("\n")}\n`;
    await expect.poll(() => sqlite3(join(s.dir, "tracker.sqlite"), stored)).toBe(shown);
    await until(s.page, () => document.activeElement?.textContent, "Print the programme");
  });

  test("a task is edited in its panel, and two tabs see each other", async () => {
    const other = await s.page.context().newPage();
    await other.goto(`${s.url}#/tracker/opening`);
    await s.page.locator(".card-title", { hasText: "Ask the brass band" }).click();
    await write(s.page.locator(".field-title"), "Ask the choir");
    await shows(other.locator(".card-title"), "Ask the choir");
    await other.locator(".card-title", { hasText: "Ask the choir" }).click();
    await other.locator(".comment-form input").fill("They are glad to come.");
    await other.keyboard.press("Enter");
    await shows(s.page.locator(".comment"), "They are glad to come.");
    await s.shot("tracker-task");
    await s.page.keyboard.press("Escape");
    await gone(s.page.locator("dialog"));
    await until(s.page, () => document.activeElement?.textContent, "Ask the choir");
    await other.close();
  });

  test("who has keys alone has a place when what had the focus goes", async () => {
    const cards = s.page.locator('[data-column="todo"] .card-title');
    const [first, second] = [await cards.nth(0).innerText(), await cards.nth(1).innerText()];
    await cards.nth(0).focus();
    await s.page.keyboard.press("Enter");
    await s.page.getByRole("button", { name: "Delete the task" }).focus();
    await s.page.keyboard.press("Enter");
    await gone(s.page.locator(".card-title", { hasText: first }));
    await until(s.page, () => document.activeElement?.textContent, second);
  });

  test("it fits a phone, and the dark", async () => {
    await s.page.setViewportSize({ width: 390, height: 844 });
    // A finger needs 44 pixels; of a card and a field's frame all of it is hit.
    const small = (): Promise<void> =>
      until(
        s.page,
        () =>
          [...document.querySelectorAll("button, a, select, input, textarea")]
            .map((el) => ({ el, box: (el.closest(".card, .search, .add") ?? el).getBoundingClientRect() }))
            .filter(({ el, box }) => box.width > 0 && el.checkVisibility({ visibilityProperty: true }))
            .filter(({ box }) => Math.min(box.width, box.height) < 44)
            .map(({ el }) => el.className || el.textContent),
        [],
      );
    await small();
    const fits = (): Promise<void> =>
      until(s.page, () => document.documentElement.scrollWidth - document.documentElement.clientWidth, 0);
    await fits();
    await s.shot("tracker-phone");
    await s.page.goto(s.url);
    await shows(side(s.page, "ana").status, "In step");
    await fits();
    await small();
    await s.shot("lab-phone");
    await s.page.setViewportSize({ width: 320, height: 640 });
    await fits();
    await s.page.setViewportSize({ width: 390, height: 844 });
    await s.page.getByRole("navigation", { name: "Panels" }).getByRole("button", { name: "Ben" }).click();
    await side(s.page, "ben").title.waitFor();
    await s.page.setViewportSize({ width: 1360, height: 1000 });
    await s.page.emulateMedia({ colorScheme: "dark" });
    await s.shot("lab-dark");
    await openTracker();
    await s.shot("tracker-dark");
  });

  test("after the demo's folder was removed the page says so, and begins anew", async () => {
    await s.page.goto(s.url);
    await shows(ana.status, "In step");
    await s.stopServer();
    rmSync(s.dir, { recursive: true });
    await s.startServer();
    await shows(ana.all.locator(".notice"), "incarnation");
    await s.shot("lab-stopped");
    await s.page.getByRole("button", { name: "Start over" }).click();
    await shows(ana.status, "In step at #0");
    await shows(ben.status, "In step at #0");
    await shows(ben.votes, /^2$/);
    await s.page.goto(`${s.url}#/tracker`);
    await s.page.getByRole("button", { name: "Fetch a fresh copy" }).click();
    await shows(s.page.locator(".card-title"), "Ask the brass band");
  });

  test("the inspector opens by a key", async () => {
    await s.page.keyboard.press("i");
    await s.page.getByText("Live queries").waitFor();
    await s.shot("inspector");
    await s.page.keyboard.press("i");
    await gone(s.page.getByText("Live queries"));
  });
});
