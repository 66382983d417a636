import type { Database } from "./database.ts";
import { TidemarkError } from "./error.ts";
import { DEADLINE, type OpenOptions } from "./options.ts";
import { Address } from "./sync/address.ts";
import { Member } from "./tabs/member.ts";

/**
 * Opens a database of this device, with the server's rows when they can be
 * had. It resolves as soon as calls can be taken, which is before the first
 * sync has ended and also when there is no network; Database.ready tells when
 * the rows are there. Where something is in the way, another tab that stands
 * still and holds the files, it resolves after the deadline: calls then have
 * deadlines of their own, and Status.waiting says what is waited for.
 */
export async function open(options: OpenOptions): Promise<Database> {
  if (!/^[\w.@-]{1,100}$/.test(options.name)) {
    throw new TidemarkError("usage", "the name of a database has letters, digits and -_.@ only, at most 100", {
      op: "open",
    });
  }
  const server = options.server === undefined ? "" : new Address(options.server, location.href).base;
  const member = new Member(options, server);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(options.deadline ?? DEADLINE, 2 ** 31 - 1));
  });
  try {
    await Promise.race([member.opened, late]);
  } catch (err) {
    await member.close();
    throw err;
  } finally {
    clearTimeout(timer);
  }
  return member.tab;
}
