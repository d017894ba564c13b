/** Generated texts whose personal data are labelled, among numbers and words that only look like them. */

export interface LabelledText {
  readonly text: string;
  /** The text in parts; a part without a kind holds nothing to find. */
  readonly parts: readonly { readonly kind: string | null; readonly text: string }[];
}

/** A small generator with a seed (mulberry32), so that a run can be repeated. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export function labelledTexts(count: number, seed = 20261124): LabelledText[] {
  const next = random(seed);
  const below = (limit: number) => Math.floor(next() * limit);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const digits = (length: number) => Array.from({ length }, () => below(10)).join("");
  const hex = (length: number) => Array.from({ length }, () => below(16).toString(16)).join("");
  const two = (limit: number) => String(1 + below(limit)).padStart(2, "0");

  const names = ["ana", "li.wei", "o'brien", "j_smith", "max.müller", "x", "sales+eu", "k-a7"];
  const hosts = [
    "example.com",
    "mail.example.co.uk",
    "müller.de",
    "a-b.io",
    "corp.internal.example",
    "x9.museum",
  ];
  const email = () => {
    const plain = `${pick(names)}${next() < 0.5 ? below(100) : ""}@${pick(hosts)}`;
    return next() < 0.2 ? plain.toUpperCase() : plain;
  };

  const card = () => {
    const [prefix, length] = pick([
      ["4", 16],
      ["51", 16],
      ["2221", 16],
      ["37", 15],
      ["6011", 16],
      ["4", 13],
    ] as const);
    let body = prefix + digits(length - prefix.length - 1);
    body += luhnDigit(body);
    if (length !== 16 || next() < 0.4) return body;
    return body.replace(/(\d{4})(?=\d)/g, `$1${pick([" ", "-"])}`);
  };

  const ibans: readonly [string, number][] = [
    ["DE", 18],
    ["GB", 18],
    ["FR", 23],
    ["ES", 20],
    ["NL", 14],
    ["NO", 11],
    ["MT", 27],
  ];
  const iban = () => {
    const [country, length] = pick(ibans);
    const letters = country === "GB" || country === "NL" || country === "MT" ? 4 : 0;
    let body = Array.from({ length: letters }, () => String.fromCharCode(65 + below(26))).join("");
    body += digits(length - letters);
    const number = [...`${body}${country}00`]
      .map((c) => (/\d/.test(c) ? c : String(c.charCodeAt(0) - 55)))
      .join("");
    const check = String(98n - (BigInt(number) % 97n)).padStart(2, "0");
    const plain = `${country}${check}${body}`;
    return next() < 0.5 ? plain : plain.replace(/(.{4})(?=.)/g, "$1 ");
  };

  const ssn = () => {
    const separator = pick(["-", "-", " "]);
    return `${String(1 + below(899)).padStart(3, "0")}${separator}${two(99)}${separator}${digits(3)}${1 + below(9)}`;
  };
  const phone = () =>
    pick([
      () => `+${pick(["1", "44", "49", "351"])} ${1 + below(9)}${digits(2)} ${digits(7)}`,
      () => `+49${1 + below(9)}${digits(9)}`,
      () => `+44 20 ${digits(4)} ${digits(4)}`,
      () => `(${2 + below(8)}${digits(2)}) ${2 + below(8)}${digits(2)}-${digits(4)}`,
      () => `${2 + below(8)}${digits(2)}-${2 + below(8)}${digits(2)}-${digits(4)}`,
      () => `${2 + below(8)}${digits(2)}.${2 + below(8)}${digits(2)}.${digits(4)}`,
      () => `0${1 + below(9)}${digits(2)} ${digits(7)}`,
      () => `0${1 + below(9)}0/${digits(7)}`,
    ])();
  const ip = () =>
    pick([
      () => `${below(256)}.${below(256)}.${below(256)}.${below(256)}`,
      () => Array.from({ length: 8 }, () => hex(4)).join(":"),
      () => `fe80::${hex(4)}:${hex(3)}:${hex(4)}`,
      () => `2001:db8::${hex(2)}`,
    ])();

  // Things of the same look that are none of these.
  const decoys: readonly (() => string)[] = [
    () => `order ${digits(8)}`,
    () => `invoice INV-${below(2026)}-${digits(5)}`,
    () => `2026-${two(12)}-${two(28)} ${two(23)}:${two(59)}:${two(59)}.${digits(3)}`,
    () => `${two(28)}.${two(12)}.2026`,
    () => `${two(28)}-${two(12)}-2026`,
    () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
    () => `sha ${hex(40)}`,
    () => `EUR ${below(10000)}.${digits(2)}`,
    () => `parcel 7${digits(11)}`,
    () => `version ${below(20)}.${below(20)}.${below(20)}`,
    () => `epoch 17${digits(8)}`,
    () => `epoch 17${digits(11)}`,
    () => `isbn 978-3-${digits(2)}-${digits(6)}-${below(10)}`,
    () => `room ${below(900)}, floor ${below(40)}`,
    () => `${digits(3)} of ${digits(4)} done`,
    () => `mac ${Array.from({ length: 6 }, () => hex(2)).join(":")}`,
    () => `ratio ${below(90)}:${two(59)}`,
    () => `user@localhost or @handle`,
    () => `SKU AB12-${digits(4)}-${digits(2)}`,
    () => `latitude ${below(90)}.${digits(6)}, -${below(90)}.${digits(6)}`,
  ];
  const makers = { email, card, iban, ssn, phone, ip } as const;
  const kinds = Object.keys(makers) as (keyof typeof makers)[];
  const joins = [" ", ", ", "; ", ": ", " (", ") ", "\n", " the customer said ", " — ", '" ', " AND "];

  return Array.from({ length: count }, () => {
    const parts: { kind: string | null; text: string }[] = [
      { kind: null, text: pick(["Note: ", "Caller ", "", "re "]) },
    ];
    for (let n = 1 + below(4); n > 0; n--) {
      if (next() < 0.5) {
        const kind = pick(kinds);
        parts.push({ kind, text: makers[kind]() });
      } else parts.push({ kind: null, text: pick(decoys)() });
      parts.push({ kind: null, text: pick(joins) });
    }
    return { text: parts.map((part) => part.text).join(""), parts };
  });
}

function luhnDigit(body: string): string {
  let sum = 0;
  [...body].reverse().forEach((c, index) => {
    const digit = Number(c) * (index % 2 === 0 ? 2 : 1);
    sum += digit > 9 ? digit - 9 : digit;
  });
  return String((10 - (sum % 10)) % 10);
}
