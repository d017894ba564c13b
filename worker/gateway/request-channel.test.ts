import { expect, test } from "vitest";
import { RequestChannel } from "./request-channel.ts";

const ask = (target: string) => ({
  ...{ method: "GET", target, headers: [] as [string, string][], upgrade: null },
  caller: { user: "wicket:tina", groups: [], extra: {} },
});
const bytes = (text: string) => new TextEncoder().encode(text).buffer as ArrayBuffer;
const text = (chunk: Uint8Array | null) => (chunk === null ? null : new TextDecoder().decode(chunk));

/** A channel with a first answer that came whole and of which nothing was read. */
async function answered() {
  let idle = 0;
  const channel = new RequestChannel(
    () => {},
    () => {},
  );
  channel.onIdle = () => {
    idle += 1;
  };
  const first = channel.request(ask("/first"));
  channel.end();
  channel.message(JSON.stringify({ t: "response", n: 1, status: 200, headers: [], upgraded: null }));
  channel.message(bytes("one"));
  channel.message(bytes("two"));
  channel.message('{"t":"eof"}');
  return { channel, answer: await first, idle: () => idle };
}

test("a channel is not free before its answer was read: another request would take it away", async () => {
  const { channel, answer, idle } = await answered();
  expect([channel.busy, idle()]).toEqual([true, 0]);
  await expect(channel.request(ask("/second"))).rejects.toMatchObject({ code: "CHANNEL_BUSY" });
  expect(text(await answer.read())).toBe("one");
  expect([channel.busy, idle()]).toEqual([true, 0]);
  expect(text(await answer.read())).toBe("two");
  expect([channel.busy, idle()]).toEqual([false, 1]);
});

test("an answer that was read to its end reads nothing of the next one", async () => {
  const { channel, answer } = await answered();
  await answer.read();
  await answer.read();
  const second = channel.request(ask("/second"));
  channel.message(JSON.stringify({ t: "response", n: 2, status: 200, headers: [], upgraded: null }));
  channel.message(bytes("secret"));
  expect(await answer.read()).toBeNull();
  expect(text(await (await second).read())).toBe("secret");
});
