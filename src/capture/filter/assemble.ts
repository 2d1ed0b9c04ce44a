/** Conditions as programs of `recording/filter-machine.ts`. */
import { Base, FILTER_INSTRUCTIONS_MAX, INSTRUCTION_WORDS, Op, OpClass } from '../../recording/filter-program.ts';
import type { BpfInstruction } from '../../sys/libpcap.ts';
import { ETHERNET_HEADER_LEN } from '../../wire/ethernet.ts';
import type { Comparison, Condition, Field, Foreign, Scope } from './condition.ts';
import { FilterError } from './filter-error.ts';

/** What the registers are known to hold: a word that two loads share when they are the same. */
interface Known {
  readonly base?: number;
  readonly a?: string;
  readonly x?: string;
}

/** An instruction that jumps lead to, before and after it is known which one it is. */
class Label {
  /** Words of the program that shall hold the instruction's number. */
  readonly uses: number[] = [];
  /** What holds on every way that leads here; undefined while there is none. */
  known: Known | undefined;
}

const loads = { 1: Op.LoadByte, 2: Op.LoadHalf, 4: Op.LoadWord } as const;
const jumps = { equal: Op.JumpEqual, greater: Op.JumpGreater, notLess: Op.JumpNotLess, bits: Op.JumpBits } as const;
/** One fault with all the primitives together: there is no column to name. */
const TOO_LONG = `a filter of at most ${FILTER_INSTRUCTIONS_MAX} instructions`;

/**
 * The program that takes the packets of which the condition holds.
 *
 * It is written down twice: for frames in tunnels, where a primitive may mean one of two headers, and for plain frames,
 * where the first instruction is all that tunnels cost.
 *
 * @param programs what libpcap made of each of its primitives. Throws `FilterError` when it becomes too long.
 */
export function assemble(
  condition: Condition,
  programs: ReadonlyMap<Foreign, readonly BpfInstruction[]>,
): Int32Array<ArrayBuffer> {
  return new Assembler(programs).program(condition);
}

class Assembler {
  readonly #words: number[] = [];
  readonly #programs: ReadonlyMap<Foreign, readonly BpfInstruction[]>;
  #known: Known = {};
  #tunnelled = false;

  constructor(programs: ReadonlyMap<Foreign, readonly BpfInstruction[]>) {
    this.#programs = programs;
  }

  program(condition: Condition): Int32Array<ArrayBuffer> {
    const [tunnelled, plain, accept, reject] = [new Label(), new Label(), new Label(), new Label()];
    this.#jump(Op.Base, Base.Outer, tunnelled, plain);
    this.#here(plain);
    this.#condition(condition, accept, reject);
    this.#here(tunnelled);
    this.#tunnelled = true;
    this.#known = { base: Base.Outer };
    this.#condition(condition, accept, reject);
    this.#here(accept);
    this.#emit(Op.Return, 1);
    this.#here(reject);
    this.#emit(Op.Return, 0);
    return Int32Array.from(this.#words);
  }

  /** Code that goes on at `yes` or at `no`, never behind itself. */
  #condition(condition: Condition, yes: Label, no: Label): void {
    switch (condition.kind) {
      case 'compare':
        this.#compare(condition, yes, no);
        break;
      case 'foreign':
        this.#foreign(this.#programs.get(condition)!, yes, no);
        break;
      case 'all':
        this.#sequence(condition.of, yes, (one, next) => this.#condition(one, next, no));
        break;
      case 'any':
        this.#sequence(condition.of, no, (one, next) => this.#condition(one, yes, next));
        break;
      case 'not':
        this.#condition(condition.of, no, yes);
        break;
      case 'choose':
        this.#choose(condition.when, condition.then, condition.otherwise, yes, no);
        break;
      case 'scoped':
        this.#scoped(condition.scope, condition.of, yes, no);
    }
  }

  /** One condition after the other, each with the label of the next one; the last with `end`. */
  #sequence(of: readonly Condition[], end: Label, write: (one: Condition, next: Label) => void): void {
    if (of.length === 0) this.#jump(Op.Jump, 0, end);
    for (const [i, one] of of.entries()) {
      const next = i === of.length - 1 ? end : new Label();
      write(one, next);
      if (next !== end) this.#here(next);
    }
  }

  #choose(when: Condition, then: Condition, otherwise: Condition | undefined, yes: Label, no: Label): void {
    const [holds, fails] = [new Label(), otherwise === undefined ? no : new Label()];
    this.#condition(when, holds, fails);
    this.#here(holds);
    this.#condition(then, yes, no);
    if (otherwise === undefined) return;
    this.#here(fails);
    this.#condition(otherwise, yes, no);
  }

  #scoped(scope: Scope, condition: Condition, yes: Label, no: Label): void {
    if (!this.#tunnelled) {
      if (scope === 'outer') this.#jump(Op.Jump, 0, no);
      else this.#condition(condition, yes, no);
      return;
    }
    const inner = new Label();
    if (scope !== 'inner') {
      this.#base(Base.Outer);
      this.#condition(condition, yes, scope === 'outer' ? no : inner);
    }
    if (scope === 'either') this.#here(inner);
    if (scope !== 'outer') {
      this.#base(Base.Inner);
      this.#condition(condition, yes, no);
    }
  }

  #base(base: number): void {
    if (this.#known.base === base) return;
    const next = new Label();
    this.#jump(Op.Base, base, next, next);
    this.#here(next);
    this.#known = { base };
  }

  #compare({ field, mask = -1, how, value }: Comparison, yes: Label, no: Label): void {
    // libpcap's optimizer leaves such a comparison out as well.
    if (mask === 0) {
      this.#jump(Op.Jump, 0, yes);
      return;
    }
    if (field === 'length') this.#load(Op.LoadLength, 0, 'length');
    else this.#loadField(field);
    if (mask !== -1) {
      this.#emit(Op.And, mask);
      this.#known = { ...this.#known, a: `${this.#known.a} & ${mask}` };
    }
    this.#jump(jumps[how], value | 0, yes, no);
  }

  #loadField({ at, size, behindIpv4 = false }: Field): void {
    if (behindIpv4 && this.#known.x === undefined) {
      this.#emit(Op.IndexHeaderLength, ETHERNET_HEADER_LEN);
      this.#known = { ...this.#known, x: 'header length' };
    }
    this.#load(behindIpv4 ? Op.LoadHalfAtX : loads[size], at, `${size} at ${behindIpv4 ? 'x + ' : ''}${at}`);
  }

  #load(op: number, k: number, name: string): void {
    if (this.#known.a === name) return;
    this.#emit(op, k);
    this.#known = { ...this.#known, a: name };
  }

  /** Instructions of libpcap: its returns become jumps. */
  #foreign(instructions: readonly BpfInstruction[], yes: Label, no: Label): void {
    const { base } = this.#known;
    const labels = instructions.map(({ code, k }) => (code === Op.Return ? (k === 0 ? no : yes) : new Label()));
    for (const [i, { code, jumpTrue, jumpFalse, k }] of instructions.entries()) {
      if (code === Op.Return) continue;
      this.#here(labels[i]!);
      this.#known = base === undefined ? {} : { base };
      if (code === Op.ReturnA) this.#jump(Op.JumpEqual, 0, no, yes);
      else if (code === Op.Jump) this.#jump(Op.Jump, 0, labels[i + 1 + k]!);
      else if ((code & 7) === OpClass.Jump) this.#jump(code, k, labels[i + 1 + jumpTrue]!, labels[i + 1 + jumpFalse]!);
      else {
        this.#emit(code, k);
        if (instructions[i + 1]!.code === Op.Return) this.#jump(Op.Jump, 0, labels[i + 1]!);
      }
    }
  }

  #emit(op: number, k: number): void {
    this.#words.push(op, 0, 0, k);
    if (this.#words.length > FILTER_INSTRUCTIONS_MAX * INSTRUCTION_WORDS) throw new FilterError(1, TOO_LONG, '');
  }

  #jump(op: number, k: number, ...labels: readonly Label[]): void {
    this.#emit(op, k);
    for (const [i, label] of labels.entries()) {
      label.uses.push(this.#words.length - INSTRUCTION_WORDS + 1 + i);
      label.known = label.known === undefined ? this.#known : common(label.known, this.#known);
    }
  }

  /** The label is the next instruction. */
  #here(label: Label): void {
    for (const use of label.uses) this.#words[use] = this.#words.length / INSTRUCTION_WORDS;
    this.#known = label.known ?? {};
  }
}

/** What holds in both cases. */
function common(one: Known, other: Known): Known {
  if (one.base !== other.base) return {};
  return {
    ...(one.base === undefined ? {} : { base: one.base }),
    ...(one.a === undefined || one.a !== other.a ? {} : { a: one.a }),
    ...(one.x === undefined || one.x !== other.x ? {} : { x: one.x }),
  };
}
