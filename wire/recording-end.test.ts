import { describe, expect, test } from "vitest";
import { type EndFacts, judgeEnd } from "./recording-end.ts";

const root = (digit: string) => digit.repeat(64);
const state = (frontend: number, backend: number, digit = "a") => ({
  frontend: { entries: frontend, root: root(digit) },
  backend: { entries: backend, root: root(digit) },
});
const task = { onFailure: "terminate", durability: "batched" };
/** A recording of eight messages to and five from the database that broke off. */
const facts: EndFacts = {
  ...{ edge: state(8, 5), answered: state(6, 4), recorded: state(8, 5) },
  ...{ reason: "CONNECTOR_RESTARTED", task },
};
const judge = (change: Partial<EndFacts>) => judgeEnd({ ...facts, ...change });

test("the same messages, and more from the database that did not reach the edge, are the whole", () => {
  expect(judge({})).toEqual({ state: "whole", beyond: 0 });
  expect(judge({ edge: state(8, 2) })).toEqual({ state: "whole", beyond: 3 });
  expect(judge({ reason: "CLIENT_TERMINATED" })).toMatchObject({ state: "whole" });
});

test("a recording that broke off with nothing that was answered missing states its gap", () => {
  for (const reason of ["CONNECTOR_RESTARTED", "CONNECTION_LOST", "EDGE_LOST", "RECORDING_FAILED"]) {
    const judged = judge({ reason, edge: state(11, 5, "b"), recorded: { ...state(8, 5, "b") } });
    expect(judged).toMatchObject({ state: "gap", unrecorded: false });
  }
  expect(judge({ edge: state(8, 7, "a") })).toMatchObject({ state: "gap" });
  expect(judge({ answered: null, edge: state(8, 7, "a") })).toMatchObject({ state: "gap" });
});

test("before its first answer too, when the edge states that nothing was answered", () => {
  const edge = state(11, 6, "b");
  expect(judge({ edge, answered: state(0, 0) })).toMatchObject({
    state: "gap",
    message: expect.stringContaining("the database answered none of those sent"),
  });
  expect(judge({ edge, answered: state(0, 0), reason: "NOT_OPENED" })).toMatchObject({ state: "differs" });
  const nothing = { edge: state(1, 0, "b"), recorded: state(0, 0, "b"), reason: "NOT_OPENED" };
  for (const answered of [null, state(0, 0)])
    expect(judge({ ...nothing, answered })).toMatchObject({ state: "gap" });
});

test("where the task lets a session go on unrecorded, what is missing is stated", () => {
  const goesOn = { ...task, onFailure: "continue" };
  const edge = state(15, 9, "b");
  expect(judge({ edge, answered: edge, task: goesOn })).toMatchObject({
    ...{ state: "gap", unrecorded: true },
    message: "the last 7 to and the last 4 from the database are not in it (CONNECTOR_RESTARTED)",
  });
  expect(judge({ edge, answered: edge, task: goesOn, reason: "CLIENT_TERMINATED" }).state).toBe("differs");
});

describe("R2 a gap that nobody could have made honestly differs", () => {
  test.each<[name: string, change: Partial<EndFacts>, words: string]>([
    ["more than the edge sent", { edge: state(7, 5) }, "never sent"],
    [
      "other messages to the database",
      { edge: { ...state(8, 5), frontend: state(8, 5, "b").frontend } },
      "other",
    ],
    ["other messages from it", { edge: { ...state(8, 5), backend: state(8, 5, "b").backend } }, "other"],
    ["an orderly end", { edge: state(11, 5), reason: "CLIENT_TERMINATED" }, "left out"],
    ["an orderly end, answers missing", { edge: state(8, 6), reason: "CLIENT_TERMINATED" }, "left out"],
    ["no reason", { edge: state(11, 5), reason: null }, "left out"],
    ["a strict recording", { edge: state(8, 6), task: { ...task, durability: "strict" } }, "left out"],
    ["an answered statement", { edge: state(11, 5), answered: state(9, 5) }, "answered some of them"],
    [
      "an answer from before the last statement",
      { edge: state(8, 7), answered: state(8, 6) },
      "written some",
    ],
    ["nothing stated of what was answered", { edge: state(11, 5), answered: null }, "does not say"],
    [
      "answers, and nothing answered is stated",
      { edge: state(11, 7), answered: state(9, 0) },
      "answered some",
    ],
  ])("%s", (_name, change, words) => {
    const judged = judge(change);
    expect(judged).toMatchObject({ state: "differs", message: expect.stringContaining(words) });
  });
});
