import { defineConfig } from "prisma/config";

// `prisma generate` needs no database; the client is given its own.
export default defineConfig({ schema: "schema.prisma", datasource: { url: "postgres://localhost/none" } });
