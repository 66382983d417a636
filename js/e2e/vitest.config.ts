import { defineConfig } from "vitest/config";

/** Tests in a real browser, two files at a time: much of what they do is waiting. Nothing in them fails for being slow. */
export default defineConfig({
  test: { include: ["e2e/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000, maxWorkers: 2 },
});
