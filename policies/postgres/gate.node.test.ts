import { describe, expect, test } from "vitest";
import { ask, flush, sync, useGateDatabase } from "../../test/support/gate-database.ts";
import {
  bareMessage,
  bindMessage,
  closeMessage,
  copyDataMessage,
  describeMessage,
  executeMessage,
  parseMessage,
  queryMessage,
} from "../../wire/postgres/frontend.ts";
import { Frontend } from "../../wire/postgres/messages.ts";

const { both } = useGateDatabase();

describe("the protocol, message by message, equals a server's", () => {
  const cases: Record<string, [Uint8Array[], number]> = {
    "a pipeline": [[...ask("select 1"), ...ask("select 2"), sync, ...ask("select 3"), sync], 2],
    "an error discards up to Sync": [
      [...ask("select 1"), ...ask("select 1/0"), ...ask("select 3"), sync, queryMessage("select 4")],
      2,
    ],
    "a Query behind an extended error is discarded": [
      [...ask("select 1/0"), queryMessage("select 2"), sync],
      1,
    ],
    "a Query in an extended pipeline": [
      [...ask("select 1"), queryMessage("select 2"), ...ask("select 3"), sync],
      2,
    ],
    "Parse failing drops the unnamed statement": [
      [
        parseMessage("", "select 1"),
        sync,
        parseMessage("", "select from where"),
        sync,
        bindMessage({}),
        sync,
      ],
      3,
    ],
    "Parse failing, and the next cycle's Parse already on its way": [
      [
        parseMessage("", "select from where"),
        sync,
        parseMessage("", "select 2"),
        sync,
        bindMessage({}),
        executeMessage(),
        sync,
      ],
      3,
    ],
    "a Query discarded, and a Bind behind it that waits for it": [
      [
        parseMessage("a", "select 1"),
        parseMessage("a", "select 1"),
        parseMessage("", "select 1"),
        queryMessage("select 2"),
        bindMessage({}),
        sync,
        queryMessage("select 3"),
      ],
      2,
    ],
    "Query drops the unnamed statement": [
      [parseMessage("", "select 1"), queryMessage("select 2"), bindMessage({}), sync],
      2,
    ],
    "a named statement twice": [
      [
        parseMessage("a", "select 1"),
        parseMessage("a", "select 2"),
        sync,
        bindMessage({ statement: "a" }),
        executeMessage(),
        sync,
      ],
      2,
    ],
    "closed and parsed again": [
      [
        parseMessage("a", "select 1"),
        closeMessage("statement", "a"),
        parseMessage("a", "select 'b'"),
        bindMessage({ statement: "a" }),
        executeMessage(),
        sync,
      ],
      1,
    ],
    "a discarded Close leaves the statement": [
      [
        parseMessage("a", "select 1"),
        sync,
        ...ask("select 1/0"),
        closeMessage("statement", "a"),
        sync,
        bindMessage({ statement: "a" }),
        executeMessage(),
        sync,
      ],
      3,
    ],
    "DEALLOCATE in SQL": [
      [parseMessage("a", "select 1"), queryMessage("deallocate a"), bindMessage({ statement: "a" }), sync],
      2,
    ],
    "Execute without Describe": [[parseMessage("", "select 1"), bindMessage({}), executeMessage(), sync], 1],
    "rows in portions": [
      [
        queryMessage("begin"),
        parseMessage("", "select id from people order by id limit 5"),
        bindMessage({ portal: "p" }),
        executeMessage("p", 2),
        sync,
        executeMessage("p", 2),
        sync,
        executeMessage("p", 2),
        sync,
        queryMessage("commit"),
        executeMessage("p", 2),
        sync,
      ],
      6,
    ],
    nothing: [
      [
        parseMessage("", ""),
        bindMessage({}),
        describeMessage("portal"),
        executeMessage(),
        sync,
        queryMessage(""),
      ],
      2,
    ],
    "unknown names": [
      [
        bindMessage({ statement: "x" }),
        sync,
        describeMessage("portal", "x"),
        sync,
        executeMessage("x"),
        sync,
        closeMessage("statement", "x"),
        sync,
      ],
      4,
    ],
    Flush: [[...ask("select 1"), flush, ...ask("select 2"), sync], 1],
    "an aborted transaction": [
      [queryMessage("begin"), queryMessage("select 1/0"), ...ask("select 1"), sync, queryMessage("rollback")],
      4,
    ],
    "a failing commit at Sync": [
      [queryMessage("begin"), queryMessage("insert into checked values (5), (5)"), ...ask("commit"), sync],
      3,
    ],
    "a deferred constraint at Sync itself": [
      [...ask("insert into checked values (6), (6)"), sync, queryMessage("select 1")],
      2,
    ],
    "COPY out by the extended protocol": [
      [parseMessage("", "copy (select 1) to stdout"), bindMessage({}), executeMessage(), sync],
      1,
    ],
    "COPY in by the extended protocol, Sync ignored within": [
      [
        parseMessage("", "copy loaded from stdin"),
        bindMessage({}),
        executeMessage(),
        sync,
        copyDataMessage(Buffer.from("7\tx\n")),
        bareMessage(Frontend.CopyDone),
        sync,
        queryMessage("delete from loaded"),
      ],
      2,
    ],
    "COPY in that fails": [
      [
        queryMessage("copy loaded from stdin"),
        copyDataMessage(Buffer.from("no\tx\n")),
        copyDataMessage(Buffer.from("8\tx\n")),
        bareMessage(Frontend.CopyDone),
        queryMessage("select count(*) from loaded"),
      ],
      2,
    ],
    "cursors in SQL": [
      [queryMessage("begin; declare c cursor for select id from people; fetch 3 from c; close c; commit")],
      1,
    ],
    "FETCH by the extended protocol": [
      [
        queryMessage("begin; declare c cursor for select id from people"),
        parseMessage("f", "fetch 2 from c"),
        bindMessage({ statement: "f" }),
        executeMessage(),
        bindMessage({ statement: "f" }),
        executeMessage(),
        sync,
        queryMessage("commit"),
      ],
      3,
    ],
    "a declared cursor described, by its name and by another": [
      [
        queryMessage("begin; declare c cursor for select id from people"),
        describeMessage("portal", "c"),
        sync,
        queryMessage("close c"),
        describeMessage("portal", "c"),
        sync,
        describeMessage("portal", "d"),
        sync,
        queryMessage("rollback"),
      ],
      6,
    ],
    "a cursor of a transaction that is over, and one that is held, described": [
      [
        ...[queryMessage("begin; declare c cursor for select id from people")],
        ...[
          ...ask("declare h cursor with hold for select id, name from people"),
          sync,
          queryMessage("commit"),
        ],
        ...[describeMessage("portal", "c"), sync, describeMessage("portal", "h"), sync],
        ...[
          queryMessage("fetch 1 from h"),
          closeMessage("portal", "h"),
          sync,
          queryMessage("fetch 1 from h"),
        ],
      ],
      8,
    ],
    "a cursor that was not declared, described": [
      [
        queryMessage("begin"),
        ...[...ask("declare c cursor for select nothing from people"), describeMessage("portal", "c"), sync],
        ...[describeMessage("portal", "c"), sync, queryMessage("rollback")],
      ],
      4,
    ],
    "a portal that SQL reads on": [
      [
        queryMessage("begin"),
        ...[parseMessage("", "select id from people"), bindMessage({ portal: "p" }), executeMessage("p", 3)],
        ...[sync, queryMessage("move 2 in p"), queryMessage("fetch 2 from p"), executeMessage("p", 1), sync],
        queryMessage("commit"),
      ],
      6,
    ],
    "DEALLOCATE and CLOSE of one leave the others": [
      [
        ...[queryMessage("begin"), parseMessage("a", "select 1"), parseMessage("b", "select 2")],
        ...[bindMessage({ portal: "p", statement: "a" }), bindMessage({ portal: "q", statement: "b" }), sync],
        ...[
          queryMessage("deallocate a; close p"),
          executeMessage("q"),
          sync,
          bindMessage({ statement: "b" }),
        ],
        ...[executeMessage(), sync, executeMessage("p"), sync, queryMessage("commit")],
      ],
      7,
    ],
    "a malformed Bind": [
      [
        parseMessage("", "select 1"),
        Uint8Array.of(0x42, 0, 0, 0, 7, 0, 0, 0),
        sync,
        queryMessage("select 1"),
      ],
      2,
    ],
  };
  for (const [name, [messages, ready]] of Object.entries(cases)) {
    test(name, async () => {
      const [through, direct] = await both(messages, ready);
      expect(through).toEqual(direct);
    });
  }
});
