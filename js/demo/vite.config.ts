import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { offline } from "./offline.ts";

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** While one works on them the packages are taken from their source; what is built takes what is published. */
const sources = [
  { find: /^@tidemark\/client$/, replacement: at("../client/src/index.ts") },
  { find: /^@tidemark\/client\/inspector$/, replacement: at("../client/src/inspector/index.ts") },
  { find: /^@tidemark\/react$/, replacement: at("../react/src/index.ts") },
];

export default defineConfig(({ command }) => ({
  plugins: [offline()],
  resolve: { alias: command === "serve" ? sources : [] },
  // Development beside a running `tidemark demo`.
  server: { proxy: { "^/(demo/log|tracker|lab|v1)": { target: "http://127.0.0.1:7420", ws: true } } },
  worker: { format: "es" },
  build: {
    target: "es2023",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
    rolldownOptions: {
      // "use client" in @tidemark/react is for frameworks that split an app in two.
      onwarn: (warning, warn) => warning.code === "MODULE_LEVEL_DIRECTIVE" || warn(warning),
    },
  },
}));
