import { expect, test } from "vitest";
import { hex, isSessionId, newSessionId, Ticket, unhex } from "./ticket.ts";

test("C5 a ticket is good once, for its connector, until it expires", () => {
  const ticket = new Ticket("demo", 1000);
  expect(ticket.use("", "demo", 0)).toBe("TICKET_INVALID");
  expect(ticket.use(`${ticket.value}0`, "demo", 0)).toBe("TICKET_INVALID");
  expect(ticket.use(ticket.value, "other", 0)).toBe("TICKET_FOREIGN");
  expect(ticket.use(ticket.value, "demo", 1000)).toBe("TICKET_EXPIRED");
  expect(ticket.use(ticket.value, "demo", 999)).toBe("ok");
  expect(ticket.use(ticket.value, "demo", 999)).toBe("TICKET_USED");
  expect(new Ticket("demo", 1000).value).not.toBe(ticket.value);
});

test("session ids are told from everything else", () => {
  const ids = new Set(Array.from({ length: 100 }, newSessionId));
  expect(ids.size).toBe(100);
  for (const id of ids) expect(isSessionId(id)).toBe(true);
  for (const text of ["", "x", "../x", `${newSessionId()}0`, newSessionId().toUpperCase(), "l".repeat(26)])
    expect(isSessionId(text)).toBe(false);
});

test("hexadecimal there and back", () => {
  const bytes = new Uint8Array([0, 1, 127, 255]);
  expect(unhex(hex(bytes))).toEqual(bytes);
  for (const text of ["0", "0g", "AB", " 00"]) expect(unhex(text)).toBeNull();
});
