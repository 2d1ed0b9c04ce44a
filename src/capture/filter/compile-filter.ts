import { verifyFilter } from '../../recording/filter-machine.ts';
import type { BpfInstruction } from '../../sys/libpcap.ts';
import { assemble } from './assemble.ts';
import type { Foreign } from './condition.ts';
import { FilterError } from './filter-error.ts';
import { parseFilter } from './parse-filter.ts';

/**
 * The program for a filter expression as tcpdump takes it (pcap-filter(7)), for `recording/filter-machine.ts`. What our
 * own compiler does not know, such as byte arithmetic, libpcap compiles; it is loaded only then.
 *
 * @throws FilterError when the expression is wrong, or needs a libpcap that is not there.
 */
export async function compileFilter(text: string, libpcap = loadLibpcap): Promise<Int32Array<ArrayBuffer>> {
  const { condition, foreign } = parseFilter(text);
  const programs = new Map<Foreign, readonly BpfInstruction[]>();
  if (foreign.length > 0) {
    const compile = await libpcap();
    for (const primitive of foreign) programs.set(primitive, foreignProgram(primitive, compile));
  }
  const program = assemble(condition, programs);
  const fault = verifyFilter(program);
  if (fault !== undefined) throw new FilterError(1, 'a filter that can be run', text, fault);
  return program;
}

/** As `compileWithLibpcap`. */
type Libpcap = (text: string) => readonly BpfInstruction[] | string | undefined;

async function loadLibpcap(): Promise<Libpcap> {
  return (await import('../../sys/libpcap.ts')).compileWithLibpcap;
}

function foreignProgram({ text, column }: Foreign, compile: Libpcap): readonly BpfInstruction[] {
  const compiled = compile(text);
  if (compiled === undefined) {
    const remedy = 'only libpcap knows this one; install libpcap (apt-get install libpcap0.8)';
    throw new FilterError(column, 'another primitive', text, remedy);
  }
  if (typeof compiled === 'string') throw new FilterError(column, 'a primitive', text, `libpcap says: ${compiled}`);
  return compiled;
}
