/**
 * `recording/`: what a capture sees of a packet. Here are the programs of filters; `filter-machine.ts`
 * runs them.
 *
 * A filter is a program of classic BPF (Linux Documentation/networking/filter.rst; libpcap bpf_filter.c): accumulator A,
 * index register X, 16 words of scratch memory, all 32 bits and unsigned; loads are big-endian; a load outside the frame
 * and a division by zero reject the packet. It is an `Int32Array` of `[op, jumpTrue, jumpFalse, k]`. Other than in
 * `struct sock_filter`, a jump names the instruction that it leads to, counted from the program's first, so that a
 * condition may be as far away as it likes.
 *
 * One instruction is our own, `Op.Base`: loads after it count from the frame's first header, or from the frame inside
 * the tunnel. A frame that is in no tunnel has no outer header, and is its own inner frame.
 */

/** What instructions do: classic BPF's codes, as include/uapi/linux/bpf_common.h and filter.h build them. */
export const Op = {
  LoadWord: 0x20,
  LoadHalf: 0x28,
  LoadByte: 0x30,
  LoadHalfAtX: 0x48,
  LoadLength: 0x80,
  /** X = 4 * (byte at k & 15): the length of an IPv4 header. */
  IndexHeaderLength: 0xb1,
  And: 0x54,
  /** To jumpTrue, always. */
  Jump: 0x05,
  JumpEqual: 0x15,
  JumpGreater: 0x25,
  JumpNotLess: 0x35,
  JumpBits: 0x45,
  Return: 0x06,
  ReturnA: 0x16,
  CopyToX: 0x07,
  CopyToA: 0x87,
  /** k is one of `Base`; to jumpTrue, or to jumpFalse when the frame has no such header. BPF has no such code. */
  Base: 0xff,
} as const;

/** Where loads count from; the machine multiplies with these numbers. */
export const Base = { Outer: 0, Inner: 1 } as const;

/** Numbers of an instruction: op, jumpTrue, jumpFalse, k. */
export const INSTRUCTION_WORDS = 4;
/** As many as Linux takes (BPF_MAXINSNS). */
export const FILTER_INSTRUCTIONS_MAX = 4096;

/** The low three bits of a code. */
export const OpClass = { Load: 0, Index: 1, Store: 2, StoreX: 3, Arithmetic: 4, Jump: 5, Return: 6, Misc: 7 } as const;

export const MODE_MASK = 0xe0;
export const Mode = {
  Immediate: 0x00,
  Absolute: 0x20,
  AtX: 0x40,
  Memory: 0x60,
  Length: 0x80,
  HeaderLength: 0xa0,
} as const;
export const SIZE_MASK = 0x18;
export const Size = { Word: 0x00, Half: 0x08, Byte: 0x10 } as const;
/** Of `Arithmetic` and `Jump`. */
export const OPERATION_MASK = 0xf0;
export const Operation = {
  Add: 0x00,
  Subtract: 0x10,
  Multiply: 0x20,
  Divide: 0x30,
  Or: 0x40,
  And: 0x50,
  ShiftLeft: 0x60,
  ShiftRight: 0x70,
  Negate: 0x80,
  Modulo: 0x90,
  Xor: 0xa0,
} as const;
export const Comparison = { Always: 0x00, Equal: 0x10, Greater: 0x20, NotLess: 0x30 } as const;
/** Set when the operand is X, else it is k. */
export const OPERAND_X = 0x08;
