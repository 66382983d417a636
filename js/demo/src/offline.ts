/** Keeps the page on the device, where the browser can do that; while one develops there is nothing to keep. */
export function keepPage(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  addEventListener("load", () => {
    // Without it the page needs the server to open, and nothing else changes.
    navigator.serviceWorker.register("/service-worker.js").catch(() => {});
  });
}
