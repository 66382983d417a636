import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const source = fileURLToPath(new URL("service-worker.js", import.meta.url));

/** Gives the service worker the list of files that the page is made of. */
export function offline(): Plugin {
  return {
    name: "offline",
    apply: "build",
    enforce: "post",
    generateBundle(_, bundle) {
      const files = ["/", "/theme.js", "/favicon.svg", ...Object.keys(bundle).map((name) => `/${name}`)]
        .filter((name) => name !== "/index.html")
        .sort();
      const version = createHash("sha256").update(files.join()).digest("hex").slice(0, 12);
      const code = readFileSync(source, "utf8")
        .replace("__FILES__", JSON.stringify(files))
        .replace("__VERSION__", JSON.stringify(version));
      this.emitFile({ type: "asset", fileName: "service-worker.js", source: code });
    },
  };
}
