/**
 * Secrets in a statement's text, found by node of its parse tree: passwords of roles, options of user mappings
 * and foreign servers, conninfo of subscriptions and of dblink, and literals that are connection strings. The
 * recording and the audit log get the text with `'[redacted]'` in their place. Of a text that does not parse,
 * every literal behind a word that announces a secret goes, and every connection string.
 */
import type { StatementDecision } from "./decision.ts";
import { tokenAt } from "./lexer.ts";
import type { Parser } from "./parser.ts";
import { Source } from "./source.ts";
import { list, type RawStatement, typeOf } from "./tree.ts";

const decoder = new TextDecoder("latin1");

/** What stands in the place of a secret. */
export const REDACTED = "'[redacted]'";

/**
 * Texts without any of this hold no secret that is looked for: nearly all of them. Here and below no expression may look
 * at a character of a long text again and again: texts are a client's.
 */
const HINT =
  /passw|passphrase|pwd|secret|token|credential|api_?key|sslkey|conninfo|dblink|:\/\/(?:[^\s'":@]|:(?!\/\/))*@|\bconnection\b|pgp_|crypt|encrypt|hmac|\\|U&/i;
/** Names of options, settings and columns whose value is a secret. */
const SECRET_NAME = /passw|passphrase|^pwd$|secret|token|credential|api_?key|sslkey|private_?key/i;
/** A URI with a password in it, or a keyword/value connection string with one. */
const CONNECTION =
  /[a-z0-9+.-]:\/\/[^\s/@:]*:[^\s/@]+@|(?:^|[\s;?&])(?:password|passwd|pwd|sslpassword)\s*=/i;
/** Functions of which every text argument may be a key, a passphrase or a connection string. */
const SECRET_CALL = /^(?:dblink\w*|pgp_(?:sym|pub)_\w+|crypt|encrypt\w*|decrypt\w*|hmac)$/;

/** A part of a tree, and whether it is within a secret. */
type Below = readonly [part: unknown, secret: boolean];

interface Span {
  readonly start: number;
  readonly end: number;
}

/** The text without its secrets, and those secrets as they stood there; null when it has none. */
export interface Redaction {
  readonly text: string;
  readonly secrets: readonly string[];
}

/** True when the text is worth a look; cheap, and true for every text with a secret that `redact` finds. */
export function mayHoldSecrets(text: string): boolean {
  return HINT.test(text);
}

/** With what each alternative of `HINT` begins, in lower case; shorter ones whole. */
const BEGINNINGS = "pas pwd sec tok cre api ssl con dbl :// pgp cry enc hma".split(" ").map((three) => {
  const [a, b, c] = [0, 1, 2].map((at) => three.charCodeAt(at));
  return (a! << 16) | (b! << 8) | c!;
});
const beginnings = new Set(BEGINNINGS);
/** By byte, in either case: whether one begins with it. */
const begins = new Uint8Array(256);
for (const three of BEGINNINGS) {
  begins[three >> 16] = 1;
  begins[
    String.fromCharCode(three >> 16)
      .toUpperCase()
      .charCodeAt(0)
  ] = 1;
}
begins[0x5c] = begins[0x55] = begins[0x75] = 1;

/**
 * As `mayHoldSecrets`, of a text of any one-byte encoding within other bytes. Most frames carry no statement, and are
 * told in one pass.
 */
export function mayHoldSecretBytes(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (begins[byte] === 0) continue;
    const next = bytes[at + 1]!;
    if (byte === 0x5c || ((byte | 0x20) === 0x75 && next === 0x26)) return true;
    if (at + 2 >= bytes.length) continue;
    const letter = lower(byte);
    if (beginnings.has((letter << 16) | (lower(next) << 8) | lower(bytes[at + 2]!))) {
      return mayHoldSecrets(decoder.decode(bytes));
    }
  }
  return false;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
}

/** `statements`: the parse tree of `text`, or null when it does not parse. */
export function redact(text: string, statements: readonly RawStatement[] | null): Redaction | null {
  if (!mayHoldSecrets(text)) return null;
  const spans = statements ? new SecretFinder(text).find(statements) : announced(text);
  if (spans.length === 0) return null;
  const sorted = [...spans].sort((a, b) => a.start - b.start);
  let out = "";
  let at = 0;
  const secrets: string[] = [];
  for (const { start, end } of sorted) {
    if (start < at) continue;
    out += text.slice(at, start) + REDACTED;
    secrets.push(text.slice(start, end));
    at = end;
  }
  return { text: out + text.slice(at), secrets };
}

/** The parts of a decision that say what is written down of its texts; its message, which may quote them, cleaned. */
export function redactedParts(
  text: string,
  { rewritten = null, message = "" }: Partial<StatementDecision>,
  parser: Parser,
): Pick<StatementDecision, "recorded" | "message"> | Record<string, never> {
  const clean = (sql: string): Redaction | null => {
    const parsed = parser.parse(sql);
    return redact(sql, parsed.ok ? (parsed.tree.stmts ?? []) : null);
  };
  const own = clean(text);
  const sent = rewritten === null || rewritten === text ? null : clean(rewritten);
  if (!own && !sent) return {};
  let told = message;
  for (const secret of own?.secrets ?? []) told = told.replaceAll(secret, REDACTED);
  const recorded = {
    text: own?.text ?? text,
    rewritten: rewritten === text ? (own?.text ?? text) : (sent?.text ?? rewritten),
  };
  return { recorded, message: told };
}

class SecretFinder {
  readonly #source: Source;
  readonly #text: string;
  readonly #spans = new Map<number, Span>();

  constructor(text: string) {
    this.#text = text;
    this.#source = new Source(text);
  }

  find(statements: readonly RawStatement[]): readonly Span[] {
    for (const { stmt, stmt_location } of statements) {
      // The conninfo of a subscription has no place of its own in the tree.
      if (/^(?:Create|Alter)SubscriptionStmt$/.test(typeOf(stmt) ?? "")) {
        this.#behind(this.#source.index(stmt_location ?? 0), /^connection$/i);
      }
      this.#walk(stmt, false);
    }
    return [...this.#spans.values()];
  }

  /** `secret`: what is below is a secret as a whole. Without recursion: a tree may be as deep as its text is long. */
  #walk(root: unknown, secret: boolean): void {
    const left: Below[] = [[root, secret]];
    for (let next = left.pop(); next; next = left.pop()) {
      const [value, hidden] = next;
      if (typeof value !== "object" || value === null) continue;
      if (Array.isArray(value)) for (const item of value) left.push([item, hidden]);
      else for (const [key, child] of Object.entries(value)) left.push(...this.#node(key, child, hidden));
    }
  }

  /** What is still to be walked below a node. */
  #node(key: string, child: unknown, secret: boolean): readonly Below[] {
    const fields = (typeof child === "object" && child !== null ? child : {}) as Record<string, unknown>;
    if (key === "DefElem") {
      const name = String(fields["defname"] ?? "");
      const value = JSON.stringify(fields["arg"] ?? null);
      if (SECRET_NAME.test(name) || CONNECTION.test(value.replaceAll('"', " "))) {
        this.#literalsFrom(this.#source.index(Number(fields["location"] ?? 0)));
        return [];
      }
    } else if (key === "A_Const") {
      const sval = (fields["sval"] as { sval?: string } | undefined)?.sval;
      if (sval !== undefined && sval !== "" && (secret || CONNECTION.test(sval))) {
        this.#literalAt(this.#source.index(Number(fields["location"] ?? 0)));
      }
      return [];
    } else if (key === "FuncCall") {
      const last = list(fields["funcname"]).at(-1) as { String?: { sval?: string } } | undefined;
      const name = last?.String?.sval ?? "";
      return [[child, secret || SECRET_CALL.test(name)]];
    } else if (key === "VariableSetStmt") {
      return [[child, secret || SECRET_NAME.test(String(fields["name"] ?? ""))]];
    } else if (key === "A_Expr") {
      return [[child, secret || secretColumn(fields["lexpr"]) || secretColumn(fields["rexpr"])]];
    } else if (key === "ResTarget") {
      return [[child, secret || (fields["name"] !== undefined && SECRET_NAME.test(String(fields["name"])))]];
    }
    return [[child, secret]];
  }

  /** The literal that begins at `at`. */
  #literalAt(at: number): void {
    const token = tokenAt(this.#text, at);
    if (token && isLiteral(this.#text.slice(token.start, token.end))) this.#span(token.start, token.end);
  }

  /** The first literal at or behind `at`: of an option, whose own place is its name. */
  #literalsFrom(at: number): void {
    let index = at;
    for (let steps = 0; steps < 8; steps++) {
      const token = tokenAt(this.#text, index);
      if (!token || token.value === ";") return;
      if (isLiteral(this.#text.slice(token.start, token.end))) {
        this.#span(token.start, token.end);
        return;
      }
      index = token.end;
    }
  }

  /** The literal behind each word that matches. */
  #behind(at: number, word: RegExp): void {
    for (let token = tokenAt(this.#text, at); token; token = tokenAt(this.#text, token.end)) {
      if (token.kind === "name" && word.test(token.value)) this.#literalsFrom(token.end);
    }
  }

  /** A literal may go on in the next line (`'a'` newline `'b'`): all of its parts. */
  #span(start: number, end: number): void {
    let last = end;
    for (let next = tokenAt(this.#text, last); next; next = tokenAt(this.#text, last)) {
      if (!this.#text.slice(next.start, next.end).startsWith("'")) break;
      last = next.end;
    }
    this.#spans.set(start, { start, end: last });
  }
}

/** `password = 'x'`: the other side of a comparison with a column of such a name. */
function secretColumn(node: unknown): boolean {
  const column = (node as { ColumnRef?: { fields?: unknown } } | undefined)?.ColumnRef;
  const last = list(column?.fields).at(-1) as { String?: { sval?: string } } | undefined;
  return SECRET_NAME.test(last?.String?.sval ?? "");
}

function isLiteral(token: string): boolean {
  return /^(?:[eEnN]?'|[uU]&'|\$[^0-9])/.test(token);
}

/** Without a tree: the literal behind each word that announces a secret, and each literal with a connection string. */
function announced(text: string): Span[] {
  const spans: Span[] = [];
  let armed = 0;
  for (let token = tokenAt(text, 0); token; token = tokenAt(text, token.end)) {
    const raw = text.slice(token.start, token.end);
    if (isLiteral(raw)) {
      if (armed > 0 || CONNECTION.test(raw.slice(1))) spans.push({ start: token.start, end: token.end });
      armed = 0;
    } else if (
      token.kind !== "other" &&
      (SECRET_NAME.test(token.value) || /^(?:passwor|connection|dblink)/i.test(token.value))
    ) {
      armed = 4;
    } else armed -= 1;
    if (token.end >= text.length) break;
  }
  return spans;
}
