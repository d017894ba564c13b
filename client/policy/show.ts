/** `wicket policy show TASK`: a task in plain words, or as it was compiled. */
import { problemText } from "../../policies/problem.ts";
import { taskText } from "../../policies/words.ts";
import { exit, jsonText, type PolicyIo } from "./io.ts";
import { openLibrary } from "./library.ts";
import { taskNamed } from "./open.ts";

/** Prints one task, or all of them. */
export function policyShow(
  options: { policies: string; task: string | null; json: boolean },
  io: PolicyIo,
): number {
  const compiled = openLibrary(options.policies);
  if (!compiled.ok) {
    for (const problem of compiled.problems) io.err(problemText(problem));
    return exit.failure;
  }
  const { bundle } = compiled.library;
  if (options.task === null) {
    const tasks = Object.values(bundle.tasks);
    io.out(options.json ? jsonText(bundle) : tasks.map(taskText).join("\n\n"));
    return exit.ok;
  }
  const task = taskNamed(compiled.library, options.task, io);
  if (task === null) return exit.usage;
  io.out(options.json ? jsonText(task) : taskText(task));
  return exit.ok;
}
