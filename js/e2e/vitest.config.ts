import { defineConfig } from "vitest/config";

/** Tests in a real browser. One at a time: they measure what happens in a second. */
export default defineConfig({
  test: { include: ["e2e/**/*.test.ts"], testTimeout: 60_000, hookTimeout: 60_000, fileParallelism: false },
});
