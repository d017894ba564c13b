/**
 * Takes out of the server's stream what a task may not see of errors, notices (policies/postgres/scrub.ts) and
 * notifications, before anything is recorded or forwarded. Rows pass untouched and uncopied.
 */

import type { NamedConstraints } from "../policies/postgres/constraints.ts";
import { shownNotification } from "../policies/postgres/notifications.ts";
import { scrubError, scrubNotice } from "../policies/postgres/scrub.ts";
import type { Task } from "../policies/task.ts";
import { decodeFields, errorResponse, noticeResponse } from "../wire/postgres/backend.ts";
import { Backend } from "../wire/postgres/messages.ts";
import { type MessageSink, MessageStream, treatments, Verdict } from "../wire/postgres/stream.ts";

/** Bytes kept of an error that is longer. */
const KEPT = 64 * 1024;

const { ErrorResponse, NoticeResponse, NotificationResponse, ...others } = Backend;
const types = treatments([ErrorResponse, NoticeResponse, NotificationResponse], Object.values(others));

export class BackendScrubber implements MessageSink {
  readonly #task: Pick<Task, "name">;
  readonly #stream = new MessageStream(this, { types, maxMessage: KEPT });
  #parts: Uint8Array[] = [];
  #broken = false;
  readonly #channels: ReadonlySet<string>;
  readonly #constraints: NamedConstraints | null;

  /** `listen`: channels whose notifications may be shown; `constraints`: those that errors may name. */
  constructor(
    task: Pick<Task, "name">,
    listen: readonly string[] = [],
    constraints: NamedConstraints | null = null,
  ) {
    this.#task = task;
    this.#constraints = constraints;
    this.#channels = new Set(listen);
  }

  /** What of the bytes may go on; null when the server's stream cannot be read. The bytes are not copied. */
  push(chunk: Uint8Array): readonly Uint8Array[] | null {
    this.#parts = [];
    this.#stream.push(chunk);
    return this.#broken ? null : this.#parts;
  }

  emit(bytes: Uint8Array): void {
    this.#parts.push(bytes);
  }

  streamed(): Verdict {
    return Verdict.Pass;
  }

  message(type: number, bytes: Uint8Array, start: number, end: number): Verdict {
    if (type === NotificationResponse)
      return shownNotification(bytes, start, end, this.#channels) ?? Verdict.Drop;
    const fields = decodeFields(bytes, start, end);
    if (type === ErrorResponse) return errorResponse(scrubError(fields, this.#task, this.#constraints));
    const notice = scrubNotice(fields, this.#task);
    return notice === null ? Verdict.Drop : noticeResponse(notice);
  }

  oversize(): number {
    return KEPT;
  }

  truncated(type: number, bytes: Uint8Array): Verdict {
    return type === NotificationResponse ? Verdict.Drop : this.message(type, bytes, 0, bytes.length);
  }

  violation(): null {
    this.#broken = true;
    return null;
  }
}
