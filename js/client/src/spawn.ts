/** Makes the worker. Bundlers look for exactly this expression. */
export function spawn(): Worker {
  return new Worker(new URL("./worker/main.ts", import.meta.url), { type: "module" });
}
