// Keeps the page itself on the device, so that it opens without the server. The
// data is none of its business: that is in the databases.
const files = __FILES__;
const kept = `page-${__VERSION__}`;

addEventListener("install", (e) => {
  e.waitUntil(
    caches
      .open(kept)
      .then((cache) => cache.addAll(files.map((f) => new Request(f, { cache: "no-cache" }))))
      .then(() => skipWaiting()),
  );
});

addEventListener("activate", (e) => {
  e.waitUntil(
    caches
      .keys()
      .then((names) =>
        Promise.all(names.filter((n) => n.startsWith("page-") && n !== kept).map((n) => caches.delete(n))),
      )
      .then(() => clients.claim()),
  );
});

addEventListener("fetch", (e) => {
  const { method, mode, url } = e.request;
  const { origin, pathname } = new URL(url);
  if (method !== "GET" || origin !== location.origin || !files.includes(pathname)) return;
  // The page may be newer on the server; what it is made of is named by its contents.
  const named = pathname.startsWith("/assets/");
  const page = mode === "navigate" ? "/" : pathname;
  e.respondWith(
    named ? fromDevice(page).then((r) => r ?? fetch(e.request)) : fetch(e.request).catch(() => fromDevice(page)),
  );
});

/** What was kept under a name, or undefined. */
function fromDevice(name) {
  return caches.match(name, { ignoreSearch: true });
}
