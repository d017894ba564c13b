/** Which tests name which attack: read from the titles in the sources, so that the table cannot claim more. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ATTACKS } from "./attacks.ts";

const FOLDERS = ["wire", "policies", "worker", "tunnel-connector", "client", "scripts", "test", "witness"];
const ID = /\b[IHCPMKARV]\d{1,2}\b/g;
/** `test("…"`, `describe.each(…)("…"`, `it.skipIf(…)(…"…"`: the title of a test or group. */
const TITLE =
  /\b(?:test|it|describe)(?:\.\w+(?:\((?:[^()]|\([^()]*\))*\))?)*\(\s*(?:"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/g;
/** Cases in a list that begin with the id: `["M1", …]`, `"M12 something"`, `{ id: "P3", …`. */
const CASE = /(?:\[|,|\n|\bid:|\battack:)\s*"((?:[IHCPMKARV]\d{1,2})(?:[ ,:][^"\n]*)?)"/g;

interface Found {
  readonly file: string;
  readonly title: string;
}

export function threatTable(root: string): {
  text: string;
  tried: number;
  all: number;
  missing: readonly string[];
} {
  const found = testsById(root);
  const ids = Object.values(ATTACKS)
    .flat()
    .map((line) => line.split(" ")[0]!);
  const tried = ids.filter((id) => found.has(id)).length;
  const parts = Object.entries(ATTACKS).map(([group, lines]) => {
    const rows = lines.map((line) => {
      const [id = ""] = line.split(" ");
      return `| ${id} | ${line.slice(id.length + 1)} | ${shown(found.get(id) ?? [])} |`;
    });
    return `### ${group}\n\n| id | attack or fault | tests that name it |\n| --- | --- | --- |\n${rows.join("\n")}`;
  });
  const missing = ids.filter((id) => !found.has(id));
  const rest =
    missing.length === 0
      ? "Every one is named by a test."
      : `Without a test that names them: ${missing.join(", ")}.`;
  const text = `${tried} of ${ids.length} are named by at least one test. ${rest}\n\n${parts.join("\n\n")}`;
  return { text, tried, all: ids.length, missing };
}

function testsById(root: string): Map<string, Found[]> {
  const found = new Map<string, Found[]>();
  for (const folder of FOLDERS) {
    for (const file of sources(root, folder)) {
      const text = readFileSync(join(root, file), "utf8");
      const titles = /\.test\.tsx?$/.test(file)
        ? [...text.matchAll(TITLE)].map(([, plain, made]) => plain ?? made!)
        : [];
      const cases = [...text.matchAll(CASE)].map(([, title]) => title!);
      for (const title of [...titles, ...cases]) {
        for (const [id] of title.matchAll(ID)) found.set(id, [...(found.get(id) ?? []), { file, title }]);
      }
    }
  }
  return found;
}

/** Tests, and the lists of cases that they run. */
function sources(root: string, folder: string): string[] {
  let entries: string[];
  try {
    entries = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  } catch {
    return [];
  }
  return entries
    .filter((name) => /\.test\.tsx?$/.test(name) || (folder === "test" && /cases.*\.ts$/.test(name)))
    .map((name) => `${folder}/${name}`)
    .sort();
}

/** The first titles by file, and how many more there are. */
function shown(tests: readonly Found[]): string {
  if (tests.length === 0) return "none";
  const files = new Map<string, string[]>();
  for (const { file, title } of tests) files.set(file, [...(files.get(file) ?? []), title]);
  const all = [...files].map(([file, titles]) => {
    const first = titles[0]!
      .replaceAll(/\\(.)/g, "$1")
      .replaceAll(/\s+/g, " ")
      .replaceAll("|", "\\|")
      .replaceAll("<", "&lt;");
    const more = titles.length > 1 ? ` and ${titles.length - 1} more` : "";
    const words = /^[A-Z]\d+$/.test(first) ? `${titles.length} cases` : `“${first.slice(0, 110)}”${more}`;
    return `${words} (${file})`;
  });
  return all.length > 3
    ? `${all.slice(0, 3).join("; ")}; and in ${all.length - 3} more files`
    : all.join("; ");
}
