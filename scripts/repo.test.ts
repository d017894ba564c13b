/** The promises that the repository makes of itself. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: root, encoding: "utf8" })
  .split("\n")
  .filter((file) => file !== "" && existsSync(join(root, file)));
const sources = files.filter((file) => /\.tsx?$/.test(file));
const read = (file: string) => readFileSync(join(root, file), "utf8");

/** Which rooms a room may import from, besides itself. test/ and scripts/ may import anything. */
const mayImport: Record<string, readonly string[]> = {
  wire: [],
  policies: ["wire"],
  worker: ["wire", "policies"],
  "tunnel-connector": ["wire", "policies"],
  client: ["wire", "policies"],
  witness: ["wire"],
};

const isTest = (file: string) => /\.test\.tsx?$/.test(file);

function importsOf(file: string): string[] {
  const pattern = /(?:\bfrom\s+|\bimport\s*\(\s*|\bimport\s+)["']([^"']+)["']/g;
  return [...read(file).matchAll(pattern)].map((match) => match[1]!);
}

test("imports point one way: wire <- policies <- shells, and no shell imports another", () => {
  const wrong: string[] = [];
  for (const file of sources) {
    const room = file.split("/")[0]!;
    const allowed = mayImport[room];
    if (!allowed || isTest(file)) continue;
    for (const specifier of importsOf(file)) {
      if (!specifier.startsWith(".")) continue;
      const target = normalize(join(dirname(file), specifier)).split("/")[0]!;
      if (target === room || allowed.includes(target) || target === "build" || target === "package.json")
        continue;
      // `wicket dev` runs the edge from its sources, which scripts/ bundles.
      if (file.startsWith("client/dev/") && target === "scripts") continue;
      wrong.push(`${file} imports ${specifier}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("the pure rooms do no input or output", () => {
  const wrong: string[] = [];
  for (const file of sources) {
    if (!/^(wire|policies)\//.test(file) || isTest(file)) continue;
    for (const specifier of importsOf(file)) {
      // node:crypto is there for the synchronous SHA-256 that Web Crypto lacks; workerd has it too.
      if (specifier === "node:crypto") continue;
      if (/^(node:|cloudflare:|ws$|pg$|miniflare|wrangler)/.test(specifier))
        wrong.push(`${file}: ${specifier}`);
    }
    if (/\b(Date\.now|Math\.random|setTimeout|setInterval|fetch)\s*\(/.test(read(file))) {
      wrong.push(`${file}: uses a clock, randomness, a timer or the network`);
    }
  }
  expect(wrong).toEqual([]);
});

test("every dependency is pinned exactly and the lockfile names no host", () => {
  const manifest = JSON.parse(read("package.json")) as Record<string, Record<string, string>>;
  for (const group of ["dependencies", "devDependencies", "optionalDependencies"]) {
    for (const [name, version] of Object.entries(manifest[group] ?? {})) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    }
  }
  expect(read("package-lock.json")).not.toMatch(/"resolved"/);
});

test("C10 every package has its hash in the lockfile, and no program fetches code of its own", () => {
  const lock = JSON.parse(read("package-lock.json")) as {
    packages: Record<string, { integrity?: string; link?: boolean; inBundle?: boolean }>;
  };
  const unhashed = Object.entries(lock.packages)
    .filter(([path, { link, inBundle }]) => path !== "" && !link && !inBundle)
    .filter(([, { integrity }]) => !/^sha512-[A-Za-z0-9+/]{86}==$/.test(integrity ?? ""))
    .map(([path]) => path);
  expect(unhashed).toEqual([]);
  // The console's scripts load each other, from the edge alone: its content policy says so. What runs beside targets, at the edge and at auditors: nothing that loads or starts what was not installed with it.
  const loads = /\beval\s*\(|new Function\s*\(|from "node:(vm|child_process|module)"|import\(\s*[^"\s]/;
  const wrong = sources.filter(
    (file) =>
      /^(wire|policies|worker|tunnel-connector|witness)\//.test(file) &&
      !isTest(file) &&
      !file.startsWith("worker/console/browser/") &&
      loads.test(read(file)),
  );
  expect(wrong).toEqual([]);
});

test("the scripts run on the Node of the lockfile, not on the machine's", () => {
  const [major] = process.versions.node.split(".").map(Number);
  expect(major).toBeGreaterThanOrEqual(24);
  expect(process.execPath).toContain(join("node_modules", "node-"));
});

test("no file names a path of the machine it was made on", () => {
  const parent = `${dirname(root)}/`;
  const wrong = files.filter((file) => !/\.(wasm|png|pb|zip)$/.test(file) && read(file).includes(parent));
  expect(wrong).toEqual([]);
});
