/** libpcap itself: its compiler and its interpreter, as tcpdump uses them. Needs the library that tcpdump loads. */
import * as koffi from 'koffi';

const DLT_EN10MB = 1;
const NETMASK_UNKNOWN = 0xffff_ffff;
const INSTRUCTION_LEN = 8;

/** Opened when the first test needs it: the file may be loaded where there is no libpcap. */
let opened: ReturnType<typeof open> | undefined;

function open() {
  const library = koffi.load('libpcap.so.0.8');
  return {
    openDead: library.func('void *pcap_open_dead(int linktype, int snaplen)'),
    compile: library.func(
      'int pcap_compile(void *p, _Inout_ uint8_t *fp, const char *str, int optimize, uint32_t mask)',
    ),
    geterr: library.func('const char *pcap_geterr(void *p)'),
    filter: library.func('uint32_t bpf_filter(const uint8_t *pc, const uint8_t *p, uint32_t wirelen, uint32_t buflen)'),
    compiled: library.func('bpf_filter', 'uint32_t', ['uintptr_t', 'const uint8_t *', 'uint32_t', 'uint32_t']),
  };
}

function library() {
  opened ??= open();
  return opened;
}

/** What bpf_filter(3) says of a frame: `[code, jt, jf, k]` each, jumps counted from the next instruction. */
export function bpfFilter(instructions: readonly (readonly number[])[], frame: Uint8Array): boolean {
  const bytes = new DataView(new ArrayBuffer(instructions.length * INSTRUCTION_LEN));
  for (const [i, [code, jumpTrue, jumpFalse, k]] of instructions.entries()) {
    bytes.setUint16(i * INSTRUCTION_LEN, code!, true);
    bytes.setUint8(i * INSTRUCTION_LEN + 2, jumpTrue!);
    bytes.setUint8(i * INSTRUCTION_LEN + 3, jumpFalse!);
    bytes.setInt32(i * INSTRUCTION_LEN + 4, k!, true);
  }
  return library().filter(new Uint8Array(bytes.buffer), frame, frame.length, frame.length) !== 0;
}

/**
 * libpcap's verdict on frames, for an expression. The programs of one process are never freed.
 *
 * @throws with libpcap's words when it takes no such expression.
 */
export function libpcapFilter(text: string, optimize: boolean): (frame: Uint8Array) => boolean {
  const { openDead, compile, compiled, geterr } = library();
  const handle = openDead(DLT_EN10MB, 262_144);
  const program = new Uint8Array(16);
  if (compile(handle, program, text, optimize ? 1 : 0, NETMASK_UNKNOWN) !== 0) {
    // Its optimizer takes that for a mistake.
    if (geterr(handle) === 'expression rejects all packets') return () => false;
    throw new Error(`${text}: ${geterr(handle)}`);
  }
  const instructions = Number(new DataView(program.buffer).getBigUint64(8, true));
  return (frame) => compiled(instructions, frame, frame.length, frame.length) !== 0;
}
