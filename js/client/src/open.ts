import type { Database } from "./database.ts";
import { TidemarkError } from "./error.ts";
import type { OpenOptions } from "./options.ts";
import { Address } from "./sync/address.ts";
import { Member } from "./tabs/member.ts";

/**
 * Opens a database of this device, with the server's rows when they can be
 * had. It resolves as soon as calls can be taken, which is before the first
 * sync has ended and also when there is no network; Database.ready tells when
 * the rows are there.
 */
export async function open(options: OpenOptions): Promise<Database> {
  if (!/^[\w.@-]{1,100}$/.test(options.name)) {
    throw new TidemarkError("usage", "the name of a database has letters, digits and -_.@ only, at most 100", {
      op: "open",
    });
  }
  const server = options.server === undefined ? "" : new Address(options.server, location.href).base;
  const member = new Member(options, server);
  try {
    await member.opened;
  } catch (err) {
    await member.close();
    throw err;
  }
  return member.tab;
}
