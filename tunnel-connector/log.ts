/** The connector's log: one JSON object a line on stderr, with secrets taken out by the name of their field. */

export type Level = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes one line; `event` is a fixed phrase, everything that varies is in the fields. */
export interface Log {
  (level: Level, event: string, fields?: LogFields): void;
  /** A log that adds these fields to each line. */
  with(fields: LogFields): Log;
}

const SECRET_FIELD =
  /^(?!.*(digest|thumbprint)$).*(password|secret|token|ticket|authorization|credential|private|enrolment_?code)/i;
const order: readonly Level[] = ["debug", "info", "warn", "error"];

/** A log that hands each line, without its line end, to `write`. */
export function createLog(
  write: (line: string) => void,
  level: Level = "info",
  now: () => number = Date.now,
): Log {
  const least = order.indexOf(level);
  const make = (base: LogFields): Log => {
    const log = (at: Level, event: string, fields: LogFields = {}): void => {
      if (order.indexOf(at) < least) return;
      const facts = redact({ ...base, ...fields }) as Record<string, unknown>;
      write(JSON.stringify({ time: new Date(now()).toISOString(), level: at, event, ...facts }));
    };
    return Object.assign(log, { with: (fields: LogFields) => make({ ...base, ...fields }) });
  };
  return make({});
}

/** The same value without what a secret's field holds, and without credentials inside texts. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value !== "object" || value === null) return value;
  if (depth > 6) return "[deep]";
  if (value instanceof Error) return redactText(value.message);
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      SECRET_FIELD.test(key) && item !== null && item !== undefined ? "[redacted]" : redact(item, depth + 1),
    ]),
  );
}

function redactText(text: string): string {
  return text
    .replace(/(\w+:\/\/[^\s:/@]*):[^\s@]*@/g, "$1:[redacted]@")
    .replace(/\b(Bearer\s+|wce_)[\w.~+/-]+=*/gi, "$1[redacted]");
}
