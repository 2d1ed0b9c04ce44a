/**
 * Addresses as four 32-bit words, IPv4 as `::ffff:a.b.c.d` (RFC 4291 section 2.5.5.2): one layout, one code path for
 * both families. Words are signed, as integer maths leaves them.
 */
export const ADDRESS_WORDS = 4;
const MAPPED = 0xffff;

export function loadIpv4(view: DataView, at: number, words: Int32Array, index: number): void {
  words[index] = 0;
  words[index + 1] = 0;
  words[index + 2] = MAPPED;
  words[index + 3] = view.getInt32(at);
}

export function loadIpv6(view: DataView, at: number, words: Int32Array, index: number): void {
  words[index] = view.getInt32(at);
  words[index + 1] = view.getInt32(at + 4);
  words[index + 2] = view.getInt32(at + 8);
  words[index + 3] = view.getInt32(at + 12);
}

/** True when the four words are an IPv4 address. */
export function isIpv4Words(words: Int32Array, index: number): boolean {
  return words[index] === 0 && words[index + 1] === 0 && words[index + 2] === MAPPED;
}

/** Text to words, off the hot path. Strict: no leading zeros, no zone. Undefined when it is no address. */
export function parseAddress(text: string): Int32Array | undefined {
  if (text.includes(':')) return parseIpv6(text);
  const last = parseIpv4(text);
  return last === undefined ? undefined : Int32Array.of(0, 0, MAPPED, last);
}

/** Words to text: dotted quad, or RFC 5952 section 4. */
export function formatAddress(words: Int32Array, index = 0): string {
  if (isIpv4Words(words, index)) return formatIpv4(words[index + 3]!);
  const groups: number[] = [];
  for (let i = 0; i < ADDRESS_WORDS; i++) {
    const word = words[index + i]!;
    groups.push((word >>> 16) & 0xffff, word & 0xffff);
  }
  const run = longestZeroRun(groups);
  const hex = (part: readonly number[]) => part.map((group) => group.toString(16)).join(':');
  if (run.length < 2) return hex(groups);
  return `${hex(groups.slice(0, run.start))}::${hex(groups.slice(run.start + run.length))}`;
}

function formatIpv4(word: number): string {
  return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}`;
}

function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255)) return;
  return parts.reduce((word, part) => (word << 8) | Number(part), 0);
}

function parseIpv6(text: string): Int32Array | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half, i) => (half === '' ? [] : parseGroups(half, i === halves.length - 1)));
  const [head, tail] = groups;
  if (head === undefined || groups.includes(undefined)) return undefined;
  const given = head.length + (tail?.length ?? 0);
  if (halves.length === 1 ? given !== 8 : given > 7) return undefined;
  const all = [...head, ...Array<number>(8 - given).fill(0), ...(tail ?? [])];
  const words = new Int32Array(ADDRESS_WORDS);
  for (let i = 0; i < ADDRESS_WORDS; i++) words[i] = (all[2 * i]! << 16) | all[2 * i + 1]!;
  return words;
}

/** @param last whether the half ends the address: only there may an IPv4 address stand (RFC 4291 section 2.2). */
function parseGroups(half: string, last: boolean): number[] | undefined {
  const groups: number[] = [];
  const parts = half.split(':');
  for (const [i, part] of parts.entries()) {
    const embedded = last && i === parts.length - 1 && part.includes('.') ? parseIpv4(part) : undefined;
    if (embedded !== undefined) groups.push(embedded >>> 16, embedded & 0xffff);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(Number.parseInt(part, 16));
    else return undefined;
  }
  return groups;
}

function longestZeroRun(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
