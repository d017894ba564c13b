import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { programFault, startFault } from "./program-file.ts";

const folder = mkdtempSync(join(tmpdir(), "wicket-program-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a program is looked for as execvp(3) does: the first of PATH that can be run", () => {
  const path = (name: string, mode: number): string => {
    writeFileSync(join(folder, name), "#!/no/such/interpreter\n");
    chmodSync(join(folder, name), mode);
    return join(folder, name);
  };
  const script = path("script", 0o700);
  path("data", 0o600);
  expect(programFault("script", `/nowhere:${folder}`)).toBeNull();
  expect(programFault(script, "")).toBeNull();
  expect(programFault("data", folder)?.fault).toMatchObject({ exit: 126, code: "COMMAND_NOT_EXECUTABLE" });
  expect(programFault("other", folder)?.fault).toMatchObject({ exit: 127, code: "COMMAND_NOT_FOUND" });
  expect(programFault(folder, "")?.fault).toMatchObject({ exit: 126 });
  // What only the start shows.
  const missing = Object.assign(new Error(), { code: "ENOENT" });
  expect(startFault(script, missing).fault).toMatchObject({
    exit: 126,
    message: expect.stringContaining("its interpreter is not installed"),
  });
  expect(startFault(join(folder, "gone"), missing).fault).toMatchObject({ exit: 127 });
});
