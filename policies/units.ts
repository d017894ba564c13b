/** Durations and sizes as a policy file writes them. */

const durations: Record<string, number> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
const sizes: Record<string, number> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};

/** Longest duration: 30 days. */
export const MAX_DURATION = 30 * durations.d!;

type Parsed = { readonly value: number } | { readonly message: string; readonly fix: string | null };

/** Milliseconds of `30m`, `10s`, `1h30m`, `500ms`: units d, h, m, s, ms, the larger first, each once. */
export function parseDuration(text: string): Parsed {
  const wrong = (fix: string): Parsed => ({ message: `\`${text}\` is not a duration`, fix });
  if (/^\d+$/.test(text)) return wrong(`name the unit: ${text}s, ${text}m or ${text}h`);
  const parts = /^(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m(?!s))?(?:(\d{1,6})s)?(?:(\d{1,6})ms)?$/.exec(
    text,
  );
  if (parts === null || text === "") return wrong("write it like 30m, 10s, 1h30m or 500ms");
  const units = Object.values(durations);
  const value = units.reduce((sum, unit, i) => sum + unit * Number(parts[i + 1] ?? 0), 0);
  if (value === 0) return { message: "a duration must be longer than nothing", fix: null };
  if (value > MAX_DURATION) return { message: `${text} is longer than 30 days`, fix: "write at most 30d" };
  return { value };
}

/** Bytes of `5MiB`, `64KiB`, `1GB`, `500B` or a bare whole number. At most 1 TiB. */
export function parseSize(text: string): Parsed {
  const parts = /^(\d{1,15})([A-Za-z]*)$/.exec(text);
  const unit = parts?.[2] === "" ? 1 : sizes[parts?.[2] ?? ""];
  if (!parts || unit === undefined) {
    const known = Object.keys(sizes).find((name) => name.toLowerCase() === parts?.[2]?.toLowerCase());
    const fix = parts && known ? `${parts[1]}${known}` : "like 5MiB, 64KiB or 1GB";
    return { message: `\`${text}\` is not a size`, fix: `write ${fix}` };
  }
  const value = Number(parts[1]) * unit;
  if (value === 0) return { message: "a size must be more than nothing", fix: null };
  if (value > 2 ** 40) return { message: `${text} is more than 1 TiB`, fix: "write at most 1024GiB" };
  return { value };
}

/** `1h 30m`, `10s`, `250ms`: a duration for people. */
export function durationWords(ms: number): string {
  const parts: string[] = [];
  let rest = ms;
  for (const [unit, size] of Object.entries(durations)) {
    const count = Math.floor(rest / size);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * size;
  }
  return parts.join(" ") || "0s";
}

/** `5 MiB`, `1.5 KiB`, `500 bytes`: a size for people. */
export function sizeWords(bytes: number): string {
  for (const [unit, size] of [
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ] as const) {
    if (bytes >= size) return `${Number((bytes / size).toFixed(1))} ${unit}`;
  }
  return `${bytes} bytes`;
}
