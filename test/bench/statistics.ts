/** What is made of repeated measurements. */

/** Time for the rounds of one case, ms. */
const BUDGET_MS = 45_000;

/** Middle and extremes of some values. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The value below which this share of the values lies (nearest rank); NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** The median is the mean of the two middle values when their number is even. */
export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  const upper = sorted[Math.floor(half)] ?? Number.NaN;
  const median = Number.isInteger(half) ? ((sorted[half - 1] ?? Number.NaN) + upper) / 2 : upper;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/**
 * How one series compares to another that was measured in turn with it: the spread of the ratios of the pairs.
 * What slows the machine for a while slows both of a pair.
 */
export function ratios(values: readonly number[], to: readonly number[]): Spread {
  if (values.length !== to.length) throw new RangeError("series of different length");
  return spread(values.map((value, i) => value / to[i]!));
}

/**
 * Measures each way once a round, in turn, each round beginning with another, so that none always comes after the
 * same neighbour. Gives the values of each way, by round. On a busy machine there are fewer rounds: none begins when
 * `BUDGET_MS` are used up, but one is always made.
 */
export async function interleave<Way extends string>(
  ways: readonly Way[],
  rounds: number,
  measure: (way: Way, round: number) => Promise<number>,
  now: () => number = () => performance.now(),
): Promise<Record<Way, number[]>> {
  const values = Object.fromEntries(ways.map((way) => [way, [] as number[]])) as Record<Way, number[]>;
  const end = now() + BUDGET_MS;
  for (let round = 0; round < rounds && (round === 0 || now() < end); round++) {
    for (let i = 0; i < ways.length; i++) {
      const way = ways[(i + round) % ways.length]!;
      values[way].push(await measure(way, round));
    }
  }
  return values;
}
