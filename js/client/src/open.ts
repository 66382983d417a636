import type { Database } from "./database.ts";
import { TidemarkError } from "./error.ts";
import type { OpenOptions } from "./options.ts";

/**
 * Opens a database of this device, with the server's rows when they can be
 * had. It resolves as soon as calls can be taken, which is before the first
 * sync has ended and also when there is no network; Database.ready tells when
 * the rows are there.
 */
export async function open(_options: OpenOptions): Promise<Database> {
  throw new TidemarkError("internal", "not there yet");
}
