/**
 * Drivers of other languages through the whole system, as they are. Each program of test/languages tries what its driver
 * can do and says what came of it, a line for each step: what it says through a task that hides nothing must be what it
 * says on a copy of the database itself, and through a masking task no byte of what is hidden may come.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CANARY, type LanguageLab, startLanguageLab } from "./support/language-lab.ts";
import { finished } from "./support/system.ts";

const folder = join(import.meta.dirname, "languages");
const python = "/usr/bin/python3";
const jdbc = "/usr/share/java/postgresql.jar";
const classes = mkdtempSync(join(tmpdir(), "wicket-classes-"));

interface Program {
  readonly name: string;
  readonly command: readonly string[];
  /** Debian's packages that it needs. */
  readonly packages: string;
  readonly here: () => boolean;
}

const runs = (command: string, ...args: string[]) =>
  spawnSync(command, args, { stdio: "ignore" }).status === 0;
const pythonProgram = (module: string, script: string, packages: string, needs = module): Program => ({
  name: `Python, ${module}`,
  command: [python, join(folder, script)],
  packages,
  here: () => runs(python, "-c", `import ${needs}`),
});

const programs: readonly Program[] = [
  pythonProgram("psycopg2", "psycopg2_steps.py", "python3-psycopg2"),
  pythonProgram("psycopg 3", "psycopg3_steps.py", "python3-psycopg", "psycopg"),
  pythonProgram("asyncpg", "asyncpg_steps.py", "python3-asyncpg"),
  pythonProgram(
    "SQLAlchemy",
    "sqlalchemy_steps.py",
    "python3-sqlalchemy python3-psycopg2",
    "sqlalchemy, psycopg2",
  ),
  pythonProgram("Django", "django_steps.py", "python3-django python3-psycopg2", "django, psycopg2"),
  pythonProgram(
    "psqlodbc",
    "odbc_steps.py",
    "python3-pyodbc odbc-postgresql",
    "pyodbc, glob; glob.glob('/usr/lib/*/odbc/psqlodbcw.so')[0]",
  ),
  {
    name: "Perl, DBD::Pg",
    command: ["perl", join(folder, "dbd_pg.pl")],
    packages: "libdbd-pg-perl",
    here: () => runs("perl", "-MDBD::Pg", "-MJSON::PP", "-e", "1"),
  },
  {
    name: "Ruby, pg",
    command: ["ruby", join(folder, "pg.rb")],
    packages: "ruby-pg",
    here: () => runs("ruby", "-rpg", "-e", "1"),
  },
  {
    name: "PHP, PDO and pgsql",
    command: ["php", "-d", "display_errors=stderr", join(folder, "pdo_pgsql.php")],
    packages: "php-cli php-pgsql",
    here: () =>
      runs("php", "-r", "exit(extension_loaded('pdo_pgsql') && extension_loaded('pgsql') ? 0 : 1);"),
  },
  {
    name: "Java, JDBC",
    command: ["java", "-XX:TieredStopAtLevel=1", "-cp", `${jdbc}:${classes}`, "JdbcSteps"],
    packages: "default-jdk-headless libpostgresql-jdbc-java",
    here: () => existsSync(jdbc) && runs("javac", "-cp", jdbc, "-d", classes, join(folder, "JdbcSteps.java")),
  },
];

const found = programs.filter((program) => program.here());
for (const { name, packages } of programs.filter((program) => !found.includes(program)))
  console.warn(`${name} is not installed here and not tried (apt install ${packages})`);
console.log(`drivers of other languages: ${found.length} of ${programs.length} are tried`);

let lab: LanguageLab;

beforeAll(async () => {
  if (found.length > 0) lab = await startLanguageLab();
});
afterAll(async () => {
  await lab?.stop();
  rmSync(classes, { recursive: true });
});

interface Step {
  readonly step: string;
  readonly ok?: unknown;
  /** SQLSTATE and message. */
  readonly error?: readonly [string, string];
}

async function stepsOf(program: Program, url: string, gate: boolean): Promise<Step[]> {
  const [command, ...args] = program.command;
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: "1", PYTHONIOENCODING: "utf-8" };
  const out = await finished(
    spawn(command!, [...args, url, ...(gate ? ["gate"] : [])], {
      env,
      cwd: folder,
      timeout: 120_000,
      killSignal: "SIGKILL",
    }),
  );
  expect([out.code, out.code === 0 ? "" : out.stderr]).toEqual([0, ""]);
  return out.stdout
    .replaceAll('"copy"', '"postgres"')
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

/** Without what else the line says. */
const comparable = ({ step, ok, error }: Step): Step => (error ? { step, error } : { step, ok });

const isRefusal = ({ step }: Step) => step.startsWith("refused: ");
const failing = (steps: readonly Step[]) => steps.filter((one) => one.error).map(({ step }) => step);

describe.skipIf(found.length === 0)("drivers of other languages", () => {
  test.each(found)("$name", async (program) => {
    const [direct, open] = await Promise.all([
      stepsOf(program, lab.direct, false),
      stepsOf(program, lab.open, true),
    ]);
    expect(direct.length).toBeGreaterThan(9);
    expect(open.filter((one) => !isRefusal(one)).map(comparable)).toEqual(direct.map(comparable));
    const refused = open.filter(isRefusal);
    expect(refused).toHaveLength(3);
    for (const { error } of refused) expect(error).toEqual(["42501", expect.stringMatching(/\w/)]);

    const masked = await stepsOf(program, lab.masked, true);
    expect(failing(masked)).toEqual(failing(open));
    expect(CANARY.test(JSON.stringify(masked))).toBe(false);
    expect(lab.leaked()).toBe(false);
    // The canary is there to be found.
    expect(CANARY.test(JSON.stringify(open))).toBe(true);
  });
});
