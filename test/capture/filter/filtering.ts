/** Expressions tried on frames. */
import { compileFilter } from '../../../src/capture/filter/compile-filter.ts';
import { runFilter } from '../../../src/recording/filter-machine.ts';
import { buildFrame, type FrameSpec, joined } from '../../support/frames.ts';

/** Outer Ethernet, IPv4, UDP and VXLAN. */
const INNER_AT = 50;
const AT = 33;

export interface Filtered {
  readonly bytes: Uint8Array;
  /** As `runFilter` has it. */
  readonly innerAt: number;
}

export function plain(spec: FrameSpec | Uint8Array): Filtered {
  return { bytes: spec instanceof Uint8Array ? spec : buildFrame(spec), innerAt: 0 };
}

/** The frame between two nodes, 172.18.0.2 and 172.18.0.3. */
export function tunnelled(spec: FrameSpec | Uint8Array): Filtered {
  const header = [8, 0, 0, 0, 0, 0, 1, 0];
  const payload = joined(header, plain(spec).bytes);
  const outer: FrameSpec = {
    ...{ sourceMac: '02:70:ac:12:00:02', destinationMac: '0e:70:ac:12:00:02', checksum: 'none' },
    ...{ source: '172.18.0.2', destination: '172.18.0.3', protocol: 'udp', payload },
    ...{ sourcePort: 50_000, destinationPort: 4789 },
  };
  return { bytes: buildFrame(outer), innerAt: INNER_AT };
}

/** Runs a program on a frame in the midst of other bytes. */
export function runOn(program: Int32Array, { bytes, innerAt }: Filtered): boolean {
  const arena = new Uint8Array(AT + bytes.length + 70).fill(0xa5);
  arena.set(bytes, AT);
  return runFilter(program, arena, AT, bytes.length, innerAt);
}

export async function accepts(text: string, frame: Filtered): Promise<boolean> {
  return runOn(await compileFilter(text), frame);
}
