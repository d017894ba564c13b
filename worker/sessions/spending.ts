/**
 * What a running session has used of its grant's budget, told to the grant's owner while it runs: sessions of one
 * grant share the budget, and none of them knows what the others use.
 */
import type { GateStats } from "../../policies/postgres/gate.ts";
import { type GrantsEnv, grantOwner } from "../grants/open.ts";

/** How often it is told, when it has changed; so much may be used over the budget. Milliseconds. */
const TELL_MS = 1_000;

export interface SpendingHost {
  readonly env: GrantsEnv;
  readonly grant: string;
  readonly session: string;
  readonly stats: Readonly<GateStats>;
  /** The budget is used up. */
  over(): void;
}

/** Returns what stops it. */
export function watchSpending(host: SpendingHost): () => void {
  let told = "";
  let busy = false;
  const tell = async (): Promise<void> => {
    const { statements, rows, bytes } = host.stats;
    const now = JSON.stringify([statements, rows, bytes]);
    if (busy || now === told) return;
    busy = true;
    try {
      const owner = grantOwner(host.env, host.grant);
      const over = await owner?.sessionSpent(host.grant, host.session, { statements, rows, bytes });
      told = now;
      if (over) host.over();
    } catch {
      // Told again with the next figures.
    } finally {
      busy = false;
    }
  };
  const timer = setInterval(() => void tell(), TELL_MS);
  return () => clearInterval(timer);
}
