import { defineConfig } from "vitest/config";

/** Tests in a real browser, two files at a time: much of what they do is waiting. Nothing in them fails for being slow. */
export default defineConfig({
  test: {
    include: ["e2e/**/*.test.ts"],
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 60_000 } },
    maxWorkers: 2,
  },
});
