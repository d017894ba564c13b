/** Test support: brings a D1 database to the current schema. */
import first from "../../migrations/0001_audit_and_grants.sql?raw";
import second from "../../migrations/0002_people.sql?raw";
import third from "../../migrations/0003_logins.sql?raw";

/** Applies all migrations; does nothing when they were applied before. */
export async function migrate(db: D1Database): Promise<void> {
  const done = await db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'events'").first();
  if (done) return;
  for (const file of [first, second, third]) {
    const statements = file.split(/;\s*$/m).filter((text) => text.replace(/--.*$/gm, "").trim() !== "");
    await db.batch(statements.map((text) => db.prepare(text)));
  }
}
