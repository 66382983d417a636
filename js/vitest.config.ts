import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^@tidemark\/client$/, replacement: at("client/src/index.ts") },
      { find: /^@tidemark\/client\/(.*)$/, replacement: at("client/src/$1") },
      { find: /^@tidemark\/react$/, replacement: at("react/src/index.ts") },
    ],
  },
  test: { include: ["*/test/**/*.test.{ts,tsx}"], setupFiles: [at("client/test/dice.ts")], testTimeout: 20_000 },
});
