import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browser, launch, openTab, type Served, scratch, serve, serveSite, until } from "./harness.ts";

const js = fileURLToPath(new URL("..", import.meta.url));
const guide = readFileSync(join(js, "..", "docs", "guide", "browser.md"), "utf8");

/** The blocks of code of a language, in their order. */
function blocks(language: string): string[] {
  return [...guide.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, "gms"))].map((m) => m[1]!);
}

/** All of the page's TypeScript as one script, and what its comments say that it prints. */
function session(server: string): { script: string; printed: string[] } {
  const lines = blocks("ts").join("\n").replaceAll("http://127.0.0.1:7420", server).split("\n");
  const imports = lines.filter((l) => l.startsWith("import "));
  const body = lines.filter((l) => !l.startsWith("import "));
  const printed = body.flatMap((l) => /console\.log\(.*\); \/\/ (.*)$/.exec(l)?.[1] ?? []);
  const script = `${imports.join("\n")}
    const printed: unknown[] = [];
    const console = { log: (...what: unknown[]) => what.length === 1 && printed.push(String(what[0])) };
    Object.assign(window, { session: async () => { ${body.join("\n")}; return printed; } });`;
  return { script, printed };
}

describe.skipIf(browser === "")("the guide's page about browsers", () => {
  const dir = scratch();
  let site: Awaited<ReturnType<typeof serveSite>>;
  let served: Served;
  let chrome: Awaited<ReturnType<typeof launch>>;

  beforeAll(async () => {
    site = await serveSite();
    const commands = blocks("sh")
      .join("\n")
      .replace(/^tidemark .*$/gm, "");
    execFileSync("sh", ["-euc", commands], { cwd: dir.path });
    served = await serve([join(dir.path, "tracker.sqlite")], site.url);
    chrome = await launch(join(dir.path, "profile"));
  });

  afterAll(async () => {
    await chrome?.close();
    await served?.stop();
    await site?.close();
    dir.remove();
  });

  test("does what it says", async () => {
    const { script, printed } = session(served.url);
    expect(printed.length).toBeGreaterThan(1);
    const built = await esbuild.build({
      stdin: { contents: script, loader: "ts", resolveDir: js },
      bundle: true,
      format: "esm",
      write: false,
      alias: {
        "@tidemark/client/inspector": join(js, "client/src/inspector/index.ts"),
        "@tidemark/client": join(js, "client/src/index.ts"),
      },
    });
    const page = await openTab(chrome.context, site.url);
    await page.addScriptTag({ type: "module", content: built.outputFiles[0]!.text });
    await until(page, () => "session" in window, true);
    const got = await page.evaluate(() => (window as unknown as { session(): Promise<string[]> }).session());
    expect(got).toEqual(printed);
  });
});
