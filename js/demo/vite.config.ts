import { defineConfig } from "vite";

export default defineConfig({
  // Development against a running `tidemark demo`.
  server: {
    proxy: {
      "^/(demo/log|tracker|lab|v1)": { target: "http://127.0.0.1:7420", ws: true },
    },
  },
  worker: { format: "es" },
  build: { target: "es2023", assetsInlineLimit: 0, chunkSizeWarningLimit: 1500 },
});
