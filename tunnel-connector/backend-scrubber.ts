/**
 * Takes out of the server's stream what a task may not see of errors and notices (policies/postgres/scrub.ts),
 * before anything is recorded or forwarded. Rows pass untouched and uncopied.
 */
import { scrubError, scrubNotice } from "../policies/postgres/scrub.ts";
import type { Task } from "../policies/task.ts";
import { decodeFields, errorResponse, noticeResponse } from "../wire/postgres/backend.ts";
import { Backend } from "../wire/postgres/messages.ts";
import { type MessageSink, MessageStream, treatments, Verdict } from "../wire/postgres/stream.ts";

/** Bytes kept of an error that is longer. */
const KEPT = 64 * 1024;

const { ErrorResponse, NoticeResponse, NotificationResponse, ...others } = Backend;
const types = treatments([ErrorResponse, NoticeResponse], [NotificationResponse, ...Object.values(others)]);

export class BackendScrubber implements MessageSink {
  readonly #task: Pick<Task, "name">;
  readonly #stream = new MessageStream(this, { types, maxMessage: KEPT });
  #parts: Uint8Array[] = [];
  #broken = false;

  constructor(task: Pick<Task, "name">) {
    this.#task = task;
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

  /** A notification tells of other sessions: no task sees any. */
  streamed(type: number): Verdict {
    return type === NotificationResponse ? Verdict.Drop : Verdict.Pass;
  }

  message(type: number, bytes: Uint8Array, start: number, end: number): Verdict {
    const fields = decodeFields(bytes, start, end);
    const task = this.#task as Task;
    if (type === ErrorResponse) return errorResponse(scrubError(fields, task));
    const notice = scrubNotice(fields, task);
    return notice === null ? Verdict.Drop : noticeResponse(notice);
  }

  oversize(): number {
    return KEPT;
  }

  truncated(type: number, bytes: Uint8Array): Verdict {
    return this.message(type, bytes, 0, bytes.length);
  }

  violation(): null {
    this.#broken = true;
    return null;
  }
}
