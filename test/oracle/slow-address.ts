/** Addresses as bytes, read by the WHATWG URL parser: independent of `src/wire/address.ts`. */
import { isIP } from 'node:net';

/** Texts seen before: parsing a URL takes longer than all else that makes a frame. */
const seen = new Map<string, Uint8Array>();

/** 4 or 16 bytes. Throws when the text is no address. */
export function addressBytes(text: string): Uint8Array {
  let bytes = seen.get(text);
  if (bytes === undefined) {
    if (seen.size > 1000) seen.clear();
    bytes = parse(text);
    seen.set(text, bytes);
  }
  return bytes.slice();
}

function parse(text: string): Uint8Array {
  const version = isIP(text);
  if (version === 4) return Uint8Array.from(text.split('.').map(Number));
  if (version !== 6) throw new Error(`not an address: ${text}`);
  const [head, tail] = new URL(`http://[${text}]/`).hostname.slice(1, -1).split('::');
  const groups = (part: string | undefined) => (part ? part.split(':').map((group) => Number.parseInt(group, 16)) : []);
  const first = groups(head);
  const last = groups(tail);
  const all = [...first, ...Array<number>(8 - first.length - last.length).fill(0), ...last];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 255]));
}

/** The shortest text of 4 or 16 bytes. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i]! << 8) | bytes[2 * i + 1]!).toString(16));
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
