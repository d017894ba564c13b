/**
 * Decisions for texts that differ from a decided one in nothing but values. Drivers that put values into the text send
 * one that was never seen before each time; the grammar need not say again what it said of the same shape.
 *
 * From the second text of a shape on, one is decided in the full way in which the literals that may vary are stand-ins.
 * What was decided for it holds for every text of the shape, and where the stand-ins are in the text for the server, the
 * literals of the user's text go. A literal may vary where nothing in a decision looks at its value: as an operand, a
 * value of VALUES or SET, or a limit. All others (arguments of functions, positions in ORDER BY, …) must be the same.
 *
 * Only what is allowed outright is kept. A refusal, a hold or a lookup is decided by its own text each time.
 */
import { checkText } from "./caps.ts";
import type { StatementDecision } from "./decision.ts";
import type { Parser } from "./parser.ts";
import { mayHoldSecrets } from "./secrets.ts";
import { type Shape, shapeOf } from "./shape.ts";
import { type Cut, cutAt, withStandIns } from "./stand-ins.ts";
import { varyingLiterals } from "./varying-literals.ts";

/** Shapes that are watched or known at most. */
const MAX_SHAPES = 300;
/** Decisions kept of one shape: texts whose literals that may not vary differ. */
const MAX_FORMS = 16;
/** Characters of all shapes and forms together. */
const MAX_CHARACTERS = 4 * 1024 * 1024;
/** Characters of one form. A short text can name a table a thousand times. */
const MAX_FORM = MAX_CHARACTERS / 8;

const DATA = new Set(["Select", "Insert", "Update", "Delete"]);

/** A decision, cut where the literals of a text go. */
interface Form extends Cut {
  readonly decision: StatementDecision;
}

interface Known {
  /** By literal: whether its value may vary; null until a second text of the shape came. */
  varies: readonly boolean[] | null;
  /** By the literals that may not vary; null for what is decided in full each time. */
  readonly forms: Map<string, Form | null>;
  /** Characters of it and its forms. */
  size: number;
}

export class ShapedDecisions {
  readonly #parser: Parser;
  readonly #decide: (text: string) => StatementDecision;
  readonly #shapes = new Map<string, Known>();
  #size = 0;

  /** @param decide the full way */
  constructor(parser: Parser, decide: (text: string) => StatementDecision) {
    this.#parser = parser;
    this.#decide = decide;
  }

  /** The decision for a text by that of its shape; null when it has to be decided in full. */
  decide(text: string): StatementDecision | null {
    const shape = shapeOf(text);
    // What is redacted of a text hangs on its values.
    if (!shape || mayHoldSecrets(text) || checkText(text)) return null;
    const known = this.#shapes.get(shape.key);
    if (!known) {
      const watched: Known = { varies: null, forms: new Map(), size: 0 };
      this.#shapes.set(shape.key, watched);
      this.#grow(watched, shape.key.length + shape.literals.length);
      return null;
    }
    known.varies ??= varyingLiterals(this.#parser, text, shape);
    const { varies, forms } = known;
    if (!varies.includes(true)) return null;
    const fixed = fixedLiterals(text, shape, varies);
    let form = forms.get(fixed);
    if (form === undefined) {
      if (forms.size >= MAX_FORMS) return null;
      form = this.#form(text, shape, varies);
      forms.set(fixed, form);
      this.#grow(known, fixed.length + (form?.decision.rewritten?.length ?? 0));
    }
    return form && filled(form, text, shape);
  }

  /** Forgets all: names may mean something else now. */
  clear(): void {
    this.#shapes.clear();
    this.#size = 0;
  }

  /** Counts what a shape takes, and forgets the oldest ones where all take too much. */
  #grow(known: Known, by: number): void {
    known.size += by;
    this.#size += by;
    for (const [key, { size }] of this.#shapes) {
      if (this.#shapes.size <= MAX_SHAPES && this.#size <= MAX_CHARACTERS) return;
      this.#shapes.delete(key);
      this.#size -= size;
    }
  }

  #form(text: string, shape: Shape, varies: readonly boolean[]): Form | null {
    const { text: canonical, standIns } = withStandIns(text, shape, varies);
    if (canonical === null) return null;
    const decision = this.#decide(canonical);
    const plain = ({ effect, statements, recorded }: StatementDecision) =>
      effect === "allow" && !recorded && statements.every(({ kind, lookup }) => DATA.has(kind) && !lookup);
    if (!plain(decision) || decision.rewritten!.length > MAX_FORM) return null;
    const cut = cutAt(decision.rewritten!, standIns);
    const form = { decision, ...cut };
    // The text at hand is decided in full as well: what is filled in must be that.
    const own = this.#decide(text);
    if (!plain(own) || own.rewritten !== filled(form, text, shape).rewritten) return null;
    // None stands in the user's text, so here one would be the task's own word, and cut like those.
    return cutAt(own.rewritten!, standIns).slots.length > 0 ? null : form;
  }
}

/** The decision of a form for one text of its shape. */
function filled({ decision, pieces, slots }: Form, text: string, { literals }: Shape): StatementDecision {
  let rewritten = pieces[0]!;
  for (let index = 0; index < slots.length; index++) {
    const { start, end } = literals[slots[index]!]!;
    rewritten += text.slice(start, end) + pieces[index + 1]!;
  }
  return {
    ...{ effect: decision.effect, reason: decision.reason, message: decision.message, hint: decision.hint },
    ...{ sqlstate: decision.sqlstate, position: decision.position, rule: decision.rule, rewritten },
    ...{ statements: decision.statements, relations: decision.relations, masked: decision.masked },
    /** Of all texts of a shape the same: libpg_query leaves constants out of it. */
    get fingerprint() {
      return decision.fingerprint;
    },
  };
}

function fixedLiterals(text: string, { literals }: Shape, varies: readonly boolean[]): string {
  let key = "";
  for (let index = 0; index < literals.length; index++) {
    if (!varies[index]) key += `${text.slice(literals[index]!.start, literals[index]!.end)}\n`;
  }
  return key;
}
