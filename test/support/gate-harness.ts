/** The gate alone, with both of its sides in hand. Runs in every runtime. */
import {
  type GateEvent,
  type GateHold,
  type GateOptions,
  type GateReason,
  PostgresGate,
} from "../../policies/postgres/gate.ts";
import { concat } from "../../wire/bytes.ts";
import * as server from "../../wire/postgres/backend.ts";
import { bareMessage } from "../../wire/postgres/frontend.ts";
import { Frontend } from "../../wire/postgres/messages.ts";
import { startupMessage } from "../../wire/postgres/startup.ts";
import { FakePostgres } from "./fake-postgres.ts";
import { openTask } from "./open-task.ts";
import { scriptedDecider } from "./scripted-decider.ts";

/** Settings that a usable session has. */
export const parameters = {
  client_encoding: "UTF8",
  standard_conforming_strings: "on",
  server_version: "18.4",
  search_path: "public, pg_temp",
  session_authorization: "credential",
  default_transaction_read_only: "on",
};
export const sync = bareMessage(Frontend.Sync);
export const startup = startupMessage({ user: "someone", database: "d" });

/** Messages as short words: types, with what matters of some. */
export function words(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const shown: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + view.getUint32(at + 1);
    const type = String.fromCharCode(bytes[at]!);
    const body = bytes.subarray(at + 5, end);
    if (type === "Z") shown.push(`Z${String.fromCharCode(body[0]!)}`);
    else if (type === "E" || type === "N") {
      const fields = server.decodeFields(body);
      shown.push(type === "E" ? `E ${fields["C"]}` : `N ${fields["M"]}`);
    } else if (type === "C") shown.push(`C ${server.decodeCommandComplete(body)}`);
    else shown.push(type);
    at = end;
  }
  return shown;
}

/** A gate whose both sides are kept as bytes. */
export function open(more: Partial<GateOptions> = {}, greet = true) {
  const client: Uint8Array[] = [];
  const upstream: Uint8Array[] = [];
  const events: GateEvent[] = [];
  const ends: GateReason[] = [];
  const holds: GateHold[] = [];
  const cancels: number[] = [];
  const gate = new PostgresGate({
    host: {
      toClient: (bytes) => client.push(bytes),
      toServer: (bytes) => upstream.push(bytes),
      record: (event) => events.push(event),
      end: (reason) => ends.push(reason),
      hold: (hold) => holds.push(hold),
      cancel: (processId) => cancels.push(processId),
    },
    decider: scriptedDecider(),
    task: openTask(),
    clock: () => 1000,
    cancelKey: { processId: 77, secretKey: new Uint8Array(32).fill(5) },
    permit: () => null,
    ...more,
  });
  const taken = (parts: Uint8Array[]) => concat([...parts.splice(0), new Uint8Array(0)]);
  if (greet) {
    gate.opened({ parameters, serverVersion: 180004 });
    gate.fromClient(startup.slice());
    client.splice(0);
  }
  return {
    gate,
    events,
    ends,
    holds,
    cancels,
    /** What the client got since the last time. */
    got: () => words(taken(client)),
    gotBytes: () => taken(client),
    /** What the server got. */
    sent: () => taken(upstream),
    send: (...messages: Uint8Array[]) => gate.fromClient(concat([...messages, new Uint8Array(0)]).slice()),
    reply: (...messages: Uint8Array[]) => gate.fromServer(concat([...messages, new Uint8Array(0)]).slice()),
    codes: () => events.flatMap((event) => (event.t === "alarm" ? [event.code] : [])),
  };
}

/** A gate with the fake server behind it, answering at once. */
export function withServer(more: Partial<GateOptions> = {}) {
  const upstream = new FakePostgres((bytes) => queue.push(bytes));
  const queue: Uint8Array[] = [];
  const one = open(more);
  const pump = () => {
    for (;;) {
      const bytes = one.sent();
      if (bytes.length > 0) upstream.push(bytes);
      if (queue.length === 0) {
        if (bytes.length === 0) return;
        continue;
      }
      one.gate.fromServer(concat(queue.splice(0)).slice());
    }
  };
  return {
    ...one,
    ran: upstream.ran,
    say: (...messages: Uint8Array[]) => {
      one.send(...messages);
      pump();
      return one.got();
    },
    pump,
  };
}
