/** Statements that are kept on the server: what goes to it, and that the client sees no difference. */
import { expect, test } from "vitest";
import { open, sync, withServer } from "../../test/support/gate-harness.ts";
import { allowing } from "../../test/support/scripted-decider.ts";
import { concat } from "../../wire/bytes.ts";
import {
  bindMessage,
  describeMessage,
  executeMessage,
  parseMessage,
  queryMessage,
} from "../../wire/postgres/frontend.ts";
import { KeptStatements } from "./gate-kept.ts";

const cycle = (text: string) => [parseMessage("", text), bindMessage({}), executeMessage(), sync];
const decided = (text: string) => ({ decider: { decide: () => allowing(text) } });

/** Types of the messages to the server, and the names of statements in Parse and Bind. */
function toServer(bytes: Uint8Array): string[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const shown: string[] = [];
  for (let at = 0; at < bytes.length; at += 1 + view.getUint32(at + 1)) {
    const type = String.fromCharCode(bytes[at]!);
    const body = new TextDecoder("latin1").decode(bytes.subarray(at + 5, at + 1 + view.getUint32(at + 1)));
    const name = type === "P" ? body.split("\0")[0] : type === "B" ? body.split("\0")[1] : "";
    shown.push(name ? `${type} ${name}` : type);
  }
  return shown;
}

test("a text is kept the second time, and the third time it is not parsed any more; each answer is the same", () => {
  const text = "rows 2";
  const one = withServer(decided(text));
  const answers = Array.from({ length: 5 }, () => one.say(...cycle(text)));
  for (const answer of answers) expect(answer).toEqual(answers[0]);
  expect(answers[0]).toContain("1");
  const gate = open(decided(text));
  const words: string[][] = [];
  const answered = ["1", "2"];
  for (let n = 0; n < 4; n++) {
    gate.send(parseMessage("", text), bindMessage({}), describeMessage("statement"), sync);
    words.push(toServer(gate.sent()));
    const complete = (type: string) => Uint8Array.of(type.charCodeAt(0), 0, 0, 0, 4);
    const types = [n < 2 ? "1" : "3", "2"].map(complete);
    const described = Uint8Array.of(0x74, 0, 0, 0, 6, 0, 0);
    gate.reply(...types, described, complete("n"), Uint8Array.of(0x5a, 0, 0, 0, 5, 0x49));
    expect(gate.got()).toEqual([...answered, "t", "n", "ZI"]);
  }
  expect(words).toEqual([
    ["P", "B", "D", "S"],
    ["P wicketgate 1", "B wicketgate 1", "D", "S"],
    ["C", "B wicketgate 1", "D", "S"],
    ["C", "B wicketgate 1", "D", "S"],
  ]);
});

test("the parameters of a Bind stay as they are", () => {
  const text = "select $1";
  const kept = open(decided(text));
  const values = [Uint8Array.of(1, 0, 255), null, new Uint8Array(0)];
  const bind = (statement: string) => bindMessage({ portal: "p", statement, parameters: values });
  for (let n = 0; n < 2; n++) {
    kept.send(parseMessage("", text), bind(""), sync);
    const sent = kept.sent();
    if (n === 1) {
      expect(sent.slice(parseMessage("wicketgate 1", text).length)).toEqual(
        concat([bind("wicketgate 1"), sync]),
      );
    }
    kept.reply(
      Uint8Array.of(0x31, 0, 0, 0, 4),
      Uint8Array.of(0x32, 0, 0, 0, 4),
      Uint8Array.of(0x5a, 0, 0, 0, 5, 0x49),
    );
  }
});

test("what would mean something else when it is parsed later is never kept", () => {
  for (const text of [
    "select 'now'::timestamp",
    "select timestamp 'ToDay'",
    "select E'n\\157w'::timestamp",
    "select timestamp 'no'\n'w'",
    "select timestamp 'no' -- w\n'w'",
    "select U&'\\006eow'::timestamp",
    "select 'x'::regclass",
    "select set_config('DateStyle', 'DMY', false)",
    "copy x to stdout",
    "rows 1; rows 2",
    `select '${"x".repeat(9000)}'`,
  ]) {
    const kept = new KeptStatements();
    const decision = allowing(text);
    for (let n = 0; n < 4; n++) expect(kept.find(decision, []), text).toBeNull();
  }
  const kept = new KeptStatements();
  const [one, other] = [allowing("select 1"), allowing("select $1")];
  kept.find(one, []);
  expect(kept.find(one, [])?.name).toBe("wicketgate 1");
  kept.find(other, [23]);
  expect(kept.find(other, [25])).toBeNull();
  expect(kept.find(other, [23])?.name).toBe("wicketgate 2");
});

test("a setting makes all anew, and one that may be taken back ends it", () => {
  const kept = new KeptStatements();
  const [data, set] = [allowing("select 1"), allowing("set datestyle = 'DMY'")];
  const keep = () => {
    kept.find(data, []);
    const made = kept.find(data, []);
    if (made) made.ready = true;
    return made;
  };
  const first = keep();
  kept.ran(data, false);
  kept.ran(allowing("begin"), false);
  expect(kept.find(data, [])).toBe(first);
  kept.ran(set, true);
  expect([first?.gone, keep()?.name]).toEqual([true, "wicketgate 2"]);
  kept.ran(allowing("select set_config('DateStyle', 'DMY', true)"), false);
  expect([keep(), kept.find(data, [])]).toEqual([null, null]);
});

test("no more than so many are kept, and of so many texts", () => {
  const kept = new KeptStatements();
  let made = 0;
  for (let n = 0; n < 500; n++) {
    const decision = allowing(`select ${n}`);
    kept.find(decision, []);
    if (kept.find(decision, [])) made += 1;
  }
  expect(made).toBe(64);
});

test("in a failed transaction and behind what is owed, Parse goes as it is", () => {
  const one = open(decided("rows 1"));
  for (let n = 0; n < 3; n++) one.send(...cycle("rows 1"));
  expect(toServer(one.sent()).filter((word) => word.includes("wicketgate") || word === "C")).toEqual([]);
  const failed = withServer();
  for (let n = 0; n < 3; n++) failed.say(...cycle("rows 1"));
  failed.say(queryMessage("begin"));
  failed.say(queryMessage("fail"));
  expect(failed.say(parseMessage("", "rows 1"), sync)).toEqual(["E 25P02", "ZE"]);
});
