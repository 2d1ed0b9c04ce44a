/** SCTP chunks in words (RFC 9260 section 3.3): `init 0x11`, `data 8`, `cookie-echo`, … */
import type { Words } from './words.ts';

const chunkTypes = {
  data: 0,
  init: 1,
  'init-ack': 2,
  sack: 3,
  heartbeat: 4,
  'heartbeat-ack': 5,
  abort: 6,
  shutdown: 7,
  'shutdown-ack': 8,
  error: 9,
  'cookie-echo': 10,
  'cookie-ack': 11,
  'shutdown-complete': 14,
} as const;
type ChunkName = keyof typeof chunkTypes;

/** Takes chunks for as long as the words name some. */
export function chunkWords(words: Words): Uint8Array {
  const bytes: number[] = [];
  while (words.peek !== undefined && Object.hasOwn(chunkTypes, words.peek)) {
    const name = words.take('a chunk') as ChunkName;
    const value = chunkValue(name, words);
    const len = 4 + value.length;
    bytes.push(chunkTypes[name], name === 'data' ? 3 : 0, len >> 8, len & 255, ...value);
    while (bytes.length % 4 !== 0) bytes.push(0);
  }
  if (bytes.length === 0) words.fail('found no SCTP chunk, expected at least one');
  return Uint8Array.from(bytes);
}

function chunkValue(name: ChunkName, words: Words): number[] {
  switch (name) {
    case 'init':
    case 'init-ack': {
      const tag = words.number('the initiate tag');
      return [...u32(tag), ...u32(65_536), 0, 10, 0, 10, ...u32(1)]; // window, streams out and in, first TSN
    }
    case 'data': {
      const len = words.number('bytes of data');
      return [...u32(1), 0, 0, 0, 0, ...u32(0), ...Array.from({ length: len }, (_, i) => i & 255)];
    }
    case 'sack':
      return [...u32(1), ...u32(65_536), 0, 0, 0, 0];
    case 'shutdown':
      return u32(1);
    case 'heartbeat':
    case 'heartbeat-ack':
      return [0, 1, 0, 8, 1, 2, 3, 4];
    case 'cookie-echo':
      return [1, 2, 3, 4, 5, 6, 7, 8];
    default:
      return [];
  }
}

function u32(value: number): number[] {
  return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}
