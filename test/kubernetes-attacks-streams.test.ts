/** Attacks by streams, tried on the whole system: exec, attach, port-forward. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import {
  cluster,
  execPath,
  head,
  hostility,
  pods,
  raw,
  startAttackLab,
  stopAttackLab,
  stream,
  tina,
} from "./support/attack-lab.ts";

beforeAll(startAttackLab);
afterAll(stopAttackLab);

describe("streams", () => {
  test.each(["ok", "forbidden", "redirect", "other"])(
    "K5 K6 after an answer like %s to the upgrade no byte passes either way",
    async (answer) => {
      hostility.after = "";
      const socket = (await stream(execPath("hostile", answer), tina("visit"))) as WebSocket;
      expect(socket).toBeInstanceOf(WebSocket);
      const said = await new Promise<string>((resolve) => {
        let text = "";
        socket.on("message", (data) => {
          text += String(data);
        });
        socket.on("close", () => resolve(text));
        socket.send(Buffer.concat([Buffer.from([0]), Buffer.from("secret input")]));
      });
      expect(said).toContain('"Failure"');
      expect(said).not.toContain("raw bytes");
      expect(hostility.after).not.toContain("secret input");
      expect(hostility.asked.at(-1)).toContain(`command=${answer}`);
    },
  );
  test("K6 a redirect of a plain request is not followed", async () => {
    const answer = await raw(
      `GET /k8s/hostile${pods} HTTP/1.1\r\nHost: x\r\n${head("visit")}Connection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1.1 502[\s\S]*TARGET_REDIRECT/);
    expect(answer).not.toContain("169.254");
  });
  test.each(["v4.channel.k8s.io", "v5.channel.k8s.io"])(
    "K5 exec over %s is recorded both ways",
    async (protocol) => {
      const { system } = cluster;
      const path = execPath("prod-cluster", "cat");
      const socket = (await stream(path, tina("operate"), [protocol])) as WebSocket;
      const heard = new Promise<string>((resolve) => {
        let text = "";
        socket.on("message", (data) => {
          text += String(data);
          if (text.includes("said-and-heard")) resolve(text);
        });
        socket.on("close", () => resolve(text));
      });
      socket.send(Buffer.concat([Buffer.from([0]), Buffer.from(`said-and-heard ${protocol}\n`)]));
      expect(await heard).toContain("said-and-heard");
      socket.close();
      const [session] = (await system.api("tina", "/api/sessions?task=operate")).body.sessions;
      const casts = await system.until(async () => {
        const played = await system.wicket(["play", session.id, "--json"]);
        const statements = played.code === 0 ? JSON.parse(played.stdout).statements : [];
        const exec = statements.findLast((one: { text: string }) => one.text.includes("/exec?command=cat"));
        return exec?.casts >= 3 ? exec.casts : null;
      }, "the terminal is in the recording");
      expect(casts).toBeGreaterThanOrEqual(3);
    },
  );
  test("K5 a stream is no way around: not on reads, not with SPDY, not with unknown protocols", async () => {
    expect(await stream(`/k8s/prod-cluster${pods}?watch=true`, tina("operate"))).toBe(400);
    expect(await stream(execPath("prod-cluster", "cat"), tina("operate"), ["v1.channel.k8s.io"])).toBe(400);
    expect(await stream(execPath("prod-cluster", "id"), tina("operate"))).toBe(403);
    const spdy = await raw(
      `POST ${execPath("prod-cluster", "cat")} HTTP/1.1\r\nHost: x\r\n${head()}Upgrade: SPDY/3.1\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n`,
    );
    expect(spdy).not.toMatch(/^HTTP\/1.1 101/);
  });
});
