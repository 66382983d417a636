/** A worker that measures rebases alone, over files in OPFS: how many to make comes in, milliseconds go out. */
import { rebaseIn } from "../client/bench/fixture.ts";
import { loadSqlite } from "../client/src/lite/load.ts";
import { OpfsStorage } from "../client/src/storage/opfs.ts";
import { openFile } from "../client/src/worker/copy.ts";

async function measure(rounds: number): Promise<number[]> {
  const sqlite = await loadSqlite({ wasmUrl: new URL("/worker/sqlite3.wasm", location.origin).href });
  const storage = await OpfsStorage.open(sqlite, "rebase-alone", "rebase-alone");
  const times: number[] = [];
  for (let i = 0; i < rounds; i++) {
    const db = openFile(sqlite, storage, `round${i}`);
    const run = rebaseIn(db);
    const begin = performance.now();
    run();
    times.push(performance.now() - begin);
    db.close();
    for (const name of storage.files()) storage.remove(name);
  }
  await storage.wipe();
  return times;
}

addEventListener("message", ({ data }: MessageEvent<number>) => {
  measure(data).then(
    (times) => postMessage(times),
    (err) => postMessage(String(err)),
  );
});
