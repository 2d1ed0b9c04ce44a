import * as koffi from 'koffi';
import { addressOf } from './libc.ts';

/** The filter compiler of libpcap (pcap_compile(3PCAP)), where the library is installed. */

/** struct bpf_insn of libpcap's pcap/bpf.h: jumps count from the next instruction. */
export interface BpfInstruction {
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  /** Signed, as 32-bit maths leaves it. */
  readonly k: number;
}

/** Its name by the project, and by Debian, which has kept the number of an older interface. */
const names = ['libpcap.so.1', 'libpcap.so.0.8'];
const DLT_EN10MB = 1;
const SNAPLEN = 262_144;
/** Its optimizer has changed the meaning of expressions: libpcap's issues 434 and 437, commit f283b98e. */
const NO_OPTIMIZE = 0;
const PCAP_NETMASK_UNKNOWN = 0xffff_ffff;
/** struct bpf_program: how many instructions, and where. */
const PROGRAM_LEN = 16;
const PROGRAM_INSTRUCTIONS = 8;
const INSTRUCTION_LEN = 8;

interface Libpcap {
  openDead(linkType: number, snaplen: number): number;
  compile(handle: number, program: number, text: string, optimize: number, netmask: number): number;
  geterr(handle: number): string;
  freecode(program: number): void;
  close(handle: number): void;
}

/** Loaded when it is first needed; null when there is none. */
let library: Libpcap | null | undefined;

function load(): Libpcap | null {
  for (const name of names) {
    try {
      return bind(koffi.load(name));
    } catch {
      // Not under this name.
    }
  }
  return null;
}

function bind(handle: ReturnType<typeof koffi.load>): Libpcap {
  return {
    openDead: handle.func('uintptr_t pcap_open_dead(int linktype, int snaplen)') as Libpcap['openDead'],
    compile: handle.func(
      'int pcap_compile(uintptr_t p, uintptr_t fp, const char *str, int optimize, uint32_t netmask)',
    ) as Libpcap['compile'],
    geterr: handle.func('const char *pcap_geterr(uintptr_t p)') as Libpcap['geterr'],
    freecode: handle.func('void pcap_freecode(uintptr_t fp)') as Libpcap['freecode'],
    close: handle.func('void pcap_close(uintptr_t p)') as Libpcap['close'],
  };
}

/**
 * The program for an expression about Ethernet frames; a text with libpcap's complaint; undefined where there is no
 * libpcap. Names of hosts in the expression would be asked of the resolver: keep them out.
 */
export function compileWithLibpcap(text: string): readonly BpfInstruction[] | string | undefined {
  library ??= load();
  if (library === null) return undefined;
  const { openDead, compile, geterr, freecode, close } = library;
  const handle = openDead(DLT_EN10MB, SNAPLEN);
  const program = new DataView(new ArrayBuffer(PROGRAM_LEN));
  try {
    if (compile(handle, addressOf(program), text, NO_OPTIMIZE, PCAP_NETMASK_UNKNOWN) !== 0) return geterr(handle);
    const instructions = instructionsOf(program);
    freecode(addressOf(program));
    return instructions;
  } finally {
    close(handle);
  }
}

function instructionsOf(program: DataView): BpfInstruction[] {
  const count = program.getUint32(0, true);
  const bytes = koffi.view(program.getBigUint64(PROGRAM_INSTRUCTIONS, true), count * INSTRUCTION_LEN);
  const view = new DataView(bytes);
  return Array.from({ length: count }, (_, i) => ({
    code: view.getUint16(i * INSTRUCTION_LEN, true),
    jumpTrue: view.getUint8(i * INSTRUCTION_LEN + 2),
    jumpFalse: view.getUint8(i * INSTRUCTION_LEN + 3),
    k: view.getInt32(i * INSTRUCTION_LEN + 4, true),
  }));
}
