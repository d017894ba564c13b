/** Test support: brings a D1 database to the current schema. */

declare global {
  interface ImportMeta {
    /** vite: the files that match, as text by name. */
    glob(pattern: string, options: { query: "?raw"; import: "default"; eager: true }): Record<string, string>;
  }
}

const files = import.meta.glob("../../migrations/*.sql", { query: "?raw", import: "default", eager: true });

/** Applies all migrations in the order of their names; does nothing when they were applied before. */
export async function migrate(db: D1Database): Promise<void> {
  const done = await db.prepare("SELECT 1 FROM sqlite_master WHERE name = 'events'").first();
  if (done) return;
  for (const [, file] of Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const statements = file.split(/;\s*$/m).filter((text) => text.replace(/--.*$/gm, "").trim() !== "");
    await db.batch(statements.map((text) => db.prepare(text)));
  }
}
