/** The log's object with what the benchmark asks of it. */
import { encodeEntry } from "../../wire/log/entry.ts";
import { LogObject } from "../../worker/log/sequencer.ts";

const entry = (n: number): Uint8Array =>
  encodeEntry({
    ...{ v: 1, type: "recording.read", time: 1_790_000_000_000 + n, session: `s${n}` },
    actor: { issuer: "https://idp.example", subject: "tina" },
  })!;

export class BenchLog extends LogObject {
  /** Numbers `count` entries, from number `from` on, and publishes them. */
  async fill(from: number, count: number): Promise<void> {
    for (let n = from; n < from + count; n++) {
      const wait = n === from + count - 1 ? "published" : "sequenced";
      const appended = await this.append(entry(n), { wait });
      if (!appended.ok) throw new Error(`${appended.code}: ${appended.message}`);
    }
  }

  /** Proves these entries, one after the other; how many bytes the proofs have together. */
  async prove(indexes: readonly number[]): Promise<number> {
    let bytes = 0;
    for (const index of indexes) {
      const proven = await this.proof(index);
      if (!proven.ok) throw new Error(`${proven.code}: ${proven.message}`);
      bytes += proven.proof.length;
    }
    return bytes;
  }

  /** Puts it away: the next request finds a new object over the same storage. */
  async putAway(): Promise<void> {
    this.ctx.abort("put away by the benchmark");
  }
}

export default { fetch: () => new Response() };
