/** Exit codes of `wicket`, and the one kind of error that commands throw. */

/** `connect` returns its command's own code instead. */
export const exit = {
  ok: 0,
  failure: 1,
  usage: 2,
  denied: 3,
  login: 4,
  pending: 5,
  unreachable: 6,
  integrity: 7,
  /** Of `connect`, as shells have them: its command cannot be run, or is not there. */
  notExecutable: 126,
  notFound: 127,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exit)[keyof typeof exit];

export interface CommandFault {
  readonly exit: ExitCode;
  /** Stable reason code. */
  readonly code: string;
  /** What went wrong, in one sentence. */
  readonly message: string;
  /** `tasks/x.yaml:12` of the rule that decided. */
  readonly rule?: string | undefined;
  /** What to do or to type next. */
  readonly next?: string | undefined;
  /** The request that waits for approval. */
  readonly request?: string | undefined;
}

/** A command cannot do what was asked: what, why, what next. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly fault: CommandFault;

  constructor(fault: CommandFault) {
    super(fault.message);
    this.fault = fault;
  }
}

export function fail(code: ExitCode, reason: string, message: string, next?: string): CommandError {
  return new CommandError({ exit: code, code: reason, message, next });
}
