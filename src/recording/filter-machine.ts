/** Runs filters (`filter-program.ts`) on the bytes in the arena, before anything is copied. */
import {
  Comparison,
  FILTER_INSTRUCTIONS_MAX,
  Base as HeaderBase,
  INSTRUCTION_WORDS,
  MODE_MASK,
  Mode,
  OPERAND_X,
  OPERATION_MASK,
  OpClass,
  Operation,
  Op as Operations,
  SIZE_MASK,
  Size,
} from './filter-program.ts';

/** V8 folds constants of the module itself, and loads those of another: 1.7 times the time of a filter. */
const Op = Operations;
const Base = HeaderBase;
const WORDS = INSTRUCTION_WORDS;
const DIVIDE_BY_K = Operation.Divide | OpClass.Arithmetic;
const MODULO_BY_K = Operation.Modulo | OpClass.Arithmetic;
const DIVIDE_BY_X = Operation.Divide | OPERAND_X | OpClass.Arithmetic;
const MODULO_BY_X = Operation.Modulo | OPERAND_X | OpClass.Arithmetic;
const SCRATCH_WORDS = 16;

/** `verifyFilter` sees to it that no word is read that this run has not written. */
const scratch = new Int32Array(SCRATCH_WORDS);
/** A and X while `otherOperation` has them. */
const registers = new Int32Array(2);
const A = 0;
const X = 1;
/** A place in the program that ends it. */
const REJECTED = -2 * WORDS;

/**
 * Does the filter take the packet?
 *
 * One flat switch over what conditions on headers are made of: a switch over classes with one inside costs three times
 * as much, some 20 ns an instruction instead of 7. Byte arithmetic may cost more.
 *
 * @param program one that `verifyFilter` has nothing to say against.
 * @param at where in `bytes` the frame begins, its outer Ethernet header where it has one. @param len its bytes.
 * @param innerAt where the inner frame begins, from `at`; 0 when the frame is in no tunnel.
 */
export function runFilter(program: Int32Array, bytes: Uint8Array, at: number, len: number, innerAt: number): boolean {
  let base = at;
  let room = len;
  let a = 0;
  let x = 0;
  for (let pc = 0; pc >= 0; pc += WORDS) {
    const k = program[pc + 3]!;
    switch (program[pc]!) {
      case Op.LoadWord:
        if (outside(k, 4, room)) return false;
        a = wordAt(bytes, base + k);
        break;
      case Op.LoadHalf:
        if (outside(k, 2, room)) return false;
        a = halfAt(bytes, base + k);
        break;
      case Op.LoadByte:
        if (outside(k, 1, room)) return false;
        a = bytes[base + k]!;
        break;
      case Op.LoadHalfAtX:
        if (outsideAtX(x, k, 2, room)) return false;
        a = halfAt(bytes, base + x + k);
        break;
      case Op.IndexHeaderLength:
        if (outside(k, 1, room)) return false;
        x = (bytes[base + k]! & 15) << 2;
        break;
      case Op.And:
        a &= k;
        break;
      case Op.JumpEqual:
        pc = beforeTarget(program, pc, a === k);
        break;
      case Op.JumpGreater:
        pc = beforeTarget(program, pc, a >>> 0 > k >>> 0);
        break;
      case Op.JumpNotLess:
        pc = beforeTarget(program, pc, a >>> 0 >= k >>> 0);
        break;
      case Op.JumpBits:
        pc = beforeTarget(program, pc, (a & k) !== 0);
        break;
      case Op.Base:
        base = at + innerAt * k;
        room = len - innerAt * k;
        pc = beforeTarget(program, pc, innerAt !== 0 || k === Base.Inner);
        break;
      case Op.Return:
        return k !== 0;
      case Op.ReturnA:
        return a !== 0;
      default:
        registers[A] = a;
        registers[X] = x;
        pc = otherOperation(program, pc, bytes, base, room);
        a = registers[A]!;
        x = registers[X]!;
    }
  }
  return false;
}

/** The loop adds an instruction. */
function beforeTarget(program: Int32Array, pc: number, taken: boolean): number {
  return (program[pc + (taken ? 1 : 2)]! - 1) * WORDS;
}

/** Offsets of 2^31 and more are negative here, and outside any frame. */
function outside(offset: number, size: number, room: number): boolean {
  return offset < 0 || offset > room - size;
}

function outsideAtX(x: number, k: number, size: number, room: number): boolean {
  return x < 0 || k < 0 || x + k > room - size;
}

function halfAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

/** Every other instruction, on `registers`. Returns where the program is; `REJECTED` when it has ended with a no. */
function otherOperation(program: Int32Array, pc: number, bytes: Uint8Array, base: number, room: number): number {
  const op = program[pc]!;
  const k = program[pc + 3]!;
  const operand = (op & OPERAND_X) === 0 ? k : registers[X]!;
  switch (op & 7) {
    case OpClass.Load:
      if ((op & MODE_MASK) !== Mode.AtX) registers[A] = value(op, k, room);
      else if (!loadAtX(op, k, bytes, base, room)) return REJECTED;
      return pc;
    case OpClass.Index:
      registers[X] = value(op, k, room);
      return pc;
    case OpClass.Store:
      scratch[k] = registers[A]!;
      return pc;
    case OpClass.StoreX:
      scratch[k] = registers[X]!;
      return pc;
    case OpClass.Arithmetic:
      if (operand === 0 && (op === DIVIDE_BY_X || op === MODULO_BY_X)) return REJECTED;
      registers[A] = arithmetic(op & OPERATION_MASK, registers[A]!, operand);
      return pc;
    case OpClass.Jump:
      return beforeTarget(program, pc, compare(op & OPERATION_MASK, registers[A]!, operand));
    default:
      if (op === Op.CopyToX) registers[X] = registers[A]!;
      else registers[A] = registers[X]!;
      return pc;
  }
}

function loadAtX(op: number, k: number, bytes: Uint8Array, base: number, room: number): boolean {
  const x = registers[X]!;
  const size = 4 >> ((op & SIZE_MASK) >> 3);
  if (outsideAtX(x, k, size, room)) return false;
  registers[A] = size === 4 ? wordAt(bytes, base + x + k) : bytes[base + x + k]!;
  return true;
}

function value(op: number, k: number, room: number): number {
  const mode = op & MODE_MASK;
  if (mode === Mode.Immediate) return k;
  return mode === Mode.Length ? room : scratch[k]!;
}

function compare(comparison: number, a: number, operand: number): boolean {
  switch (comparison) {
    case Comparison.Equal:
      return a === operand;
    case Comparison.Greater:
      return a >>> 0 > operand >>> 0;
    case Comparison.NotLess:
      return a >>> 0 >= operand >>> 0;
    case Comparison.Always:
      return true;
    default:
      return (a & operand) !== 0;
  }
}

function arithmetic(operation: number, a: number, operand: number): number {
  switch (operation) {
    case Operation.And:
      return a & operand;
    case Operation.Add:
      return (a + operand) | 0;
    case Operation.Subtract:
      return (a - operand) | 0;
    case Operation.Multiply:
      return Math.imul(a, operand);
    case Operation.Divide:
      return ((a >>> 0) / (operand >>> 0)) | 0;
    case Operation.Modulo:
      return ((a >>> 0) % (operand >>> 0)) | 0;
    case Operation.Or:
      return a | operand;
    case Operation.Xor:
      return a ^ operand;
    // Shifts by more than the width leave nothing, where JavaScript would take them modulo 32.
    case Operation.ShiftLeft:
      return operand >>> 0 < 32 ? a << operand : 0;
    case Operation.ShiftRight:
      return operand >>> 0 < 32 ? (a >>> operand) | 0 : 0;
    default:
      return -a | 0;
  }
}

/** By code: 1 for what the machine does. */
const known = new Uint8Array(256);
for (const size of Object.values(Size)) known[Mode.Absolute | size] = known[Mode.AtX | size] = 1;
for (const mode of [Mode.Immediate, Mode.Memory, Mode.Length]) known[mode] = known[mode | OpClass.Index] = 1;
for (const operation of Object.values(Operation)) known[operation | OpClass.Arithmetic] = 1;
for (const operation of Object.values(Operation)) known[operation | OPERAND_X | OpClass.Arithmetic] = 1;
for (const jump of [Op.JumpEqual, Op.JumpGreater, Op.JumpNotLess, Op.JumpBits])
  known[jump] = known[jump | OPERAND_X] = 1;
for (const op of [Op.IndexHeaderLength, OpClass.Store, OpClass.StoreX, Op.Jump, Op.Return, Op.ReturnA]) known[op] = 1;
for (const op of [Op.CopyToX, Op.CopyToA, Op.Base]) known[op] = 1;
known[Operation.Negate | OPERAND_X | OpClass.Arithmetic] = 0;

/**
 * What is wrong with a program, or undefined: it may have come over a socket. After it, running the program ends (jumps
 * lead forward, and its last instruction is a return), and depends on nothing but the packet.
 */
export function verifyFilter(program: Int32Array): string | undefined {
  const count = program.length / INSTRUCTION_WORDS;
  if (!Number.isInteger(count) || count === 0) return `${program.length} words are no whole instructions`;
  if (count > FILTER_INSTRUCTIONS_MAX) return `${count} instructions, ${FILTER_INSTRUCTIONS_MAX} at most`;
  // Of each instruction: which words of scratch memory every way to it has written, as bits.
  const written = new Uint16Array(count).fill(0xffff);
  written[0] = 0;
  for (let i = 0; i < count; i++) {
    const instruction = program.subarray(i * INSTRUCTION_WORDS, (i + 1) * INSTRUCTION_WORDS);
    const fault = instructionFault(instruction, i, count) ?? memoryFault(instruction, i, written);
    if (fault !== undefined) return `instruction ${i}: ${fault}`;
  }
  return undefined;
}

function instructionFault([op, jumpTrue, jumpFalse, k]: Int32Array, i: number, count: number): string | undefined {
  if (op! < 0 || op! > 0xff || known[op!] === 0) return `no operation has the code ${op}`;
  if (k === 0 && (op === DIVIDE_BY_K || op === MODULO_BY_K)) return 'division by zero';
  if (op === Op.Base && k !== Base.Outer && k !== Base.Inner) return `no header has the number ${k}`;
  const targets = jumpsTo(op!, jumpTrue!, jumpFalse!, i);
  const wrong = targets.find((target) => target <= i || target >= count);
  return wrong === undefined ? undefined : `leads to instruction ${wrong}`;
}

/** Where the program may go on. */
function jumpsTo(op: number, jumpTrue: number, jumpFalse: number, i: number): number[] {
  if (op === Op.Jump) return [jumpTrue];
  if (op === Op.Base || (op & 7) === OpClass.Jump) return [jumpTrue, jumpFalse];
  return (op & 7) === OpClass.Return ? [] : [i + 1];
}

/** As check_load_and_stores() in net/core/filter.c. Passes what is written on to where the program may go on. */
function memoryFault([op, jumpTrue, jumpFalse, k]: Int32Array, i: number, written: Uint16Array): string | undefined {
  const stores = op === OpClass.Store || op === OpClass.StoreX;
  const loads = op === Mode.Memory || op === (Mode.Memory | OpClass.Index);
  if ((stores || loads) && (k! < 0 || k! >= SCRATCH_WORDS)) return `scratch memory has no word ${k}`;
  if (loads && (written[i]! & (1 << k!)) === 0) return `reads word ${k} of scratch memory before it is written`;
  if (stores) written[i]! |= 1 << k!;
  for (const target of jumpsTo(op!, jumpTrue!, jumpFalse!, i)) written[target]! &= written[i]!;
  return undefined;
}
