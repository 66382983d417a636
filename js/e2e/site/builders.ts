import { codeOf, open } from "@tidemark/client";
import { drizzle, queryOf as queryOfDrizzle } from "@tidemark/client/drizzle";
import { type KyselyTables, queryOf, TidemarkDialect } from "@tidemark/client/kysely";
import { eq } from "drizzle-orm";
import { customType, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { Kysely } from "kysely";

/** As `tidemark generate ts` writes it. */
interface Tables {
  task: {
    row: { id: string; title: string; done: number; picture: Uint8Array | null };
    insert: { id: string; title: string; done?: number | undefined; picture?: Uint8Array | null | undefined };
  };
}

/** Drizzle's own column for blobs wants Node's Buffer, which a page does not have. */
const bytes = customType<{ data: Uint8Array }>({ dataType: () => "blob" });

const task = sqliteTable("task", {
  id: text().primaryKey(),
  title: text().notNull(),
  done: integer({ mode: "boolean" }).notNull().default(false),
  picture: bytes(),
});

/** Opens a database and both query builders over it. */
async function openBuilders(name: string, server: string) {
  const db = await open({ name, server });
  await db.ready;
  await db.caughtUp();
  const kysely = new Kysely<KyselyTables<Tables>>({ dialect: new TidemarkDialect(db) });
  const orm = drizzle(db, { schema: { task } });
  return { db, kysely, orm, task, eq, queryOf, queryOfDrizzle, codeOf };
}

type Builders = Awaited<ReturnType<typeof openBuilders>>;

declare global {
  interface Window {
    readonly openBuilders: typeof openBuilders;
    /** What a test opened in this tab. */
    b: Builders;
  }
}

Object.assign(window, { openBuilders });
