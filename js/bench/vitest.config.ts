import { defineConfig } from "vitest/config";

/** Measures in a real browser; nothing here fails for being slow. */
export default defineConfig({
  test: { include: ["bench/browser.ts"], testTimeout: 300_000, hookTimeout: 300_000, reporters: ["dot"] },
});
