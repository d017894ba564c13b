/** The Status objects of the API server as a task may see them. */

const encoder = new TextEncoder();

/**
 * A Status to show: rebuilt from known fields. When `hides`, its messages, which may quote values ("Invalid value:
 * …"), are replaced by what the reason says. Anything that is not a Status becomes a general one.
 */
export function scrubStatus(bytes: Uint8Array, hides: boolean): Uint8Array {
  let value: Record<string, unknown> | null = null;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
  } catch {
    value = null;
  }
  if (typeof value !== "object" || value === null || value["kind"] !== "Status") {
    return encoder.encode(
      '{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"the API server answered with something that is not a Status","reason":"InternalError","code":502}',
    );
  }
  const text = (v: unknown): string | undefined => (typeof v === "string" ? v : undefined);
  const number = (v: unknown): number | undefined => (typeof v === "number" ? v : undefined);
  const details = (value["details"] ?? {}) as Record<string, unknown>;
  const causes = Array.isArray(details["causes"]) ? (details["causes"] as Record<string, unknown>[]) : [];
  const reason = text(value["reason"]);
  const failed = value["status"] !== "Success";
  const metadata = (value["metadata"] ?? {}) as Record<string, unknown>;
  const out = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {
      resourceVersion: text(metadata["resourceVersion"]),
      continue: text(metadata["continue"]),
    },
    status: failed ? "Failure" : "Success",
    message: failed && hides ? plainMessage(reason, details) : text(value["message"]),
    reason,
    details: {
      name: text(details["name"]),
      group: text(details["group"]),
      kind: text(details["kind"]),
      uid: text(details["uid"]),
      retryAfterSeconds: number(details["retryAfterSeconds"]),
      causes:
        causes.length === 0
          ? undefined
          : causes.slice(0, 64).map((cause) => ({
              reason: text(cause["reason"]),
              message: hides ? undefined : text(cause["message"]),
              field: text(cause["field"]),
            })),
    },
    code: number(value["code"]),
  };
  return encoder.encode(JSON.stringify(out));
}

/** What the API server says of an object that is missing or there already; else the reason alone. */
function plainMessage(reason: string | undefined, details: Record<string, unknown>): string {
  const of = (key: string) => (typeof details[key] === "string" ? (details[key] as string) : "");
  const group = of("group") === "" ? "" : `.${of("group")}`;
  const subject = of("kind") === "" ? "the request" : `${of("kind")}${group} ${JSON.stringify(of("name"))}`;
  if (reason === "NotFound") return `${subject} not found`;
  if (reason === "AlreadyExists") return `${subject} already exists`;
  return `${subject}: ${reason ?? "failed"} (the task hides the details)`;
}
