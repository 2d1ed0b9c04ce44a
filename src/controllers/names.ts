/**
 * Names that the cluster makes up. Kubernetes' are partly random; these follow from what they are for, so that the same
 * YAML gives the same names.
 */

/** Without vowels and what looks alike (k8s.io/apimachinery/pkg/util/rand/rand.go): no word comes about by chance. */
const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/** Letters enough for 32 bits. */
const HASH_LENGTH = 7;
const SUFFIX_LENGTH = 5;

/** FNV-1a, 32 bits, over the text's UTF-16 units. */
function fnv(text: string, start = 0x811c9dc5): number {
  let hash = start;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

function word(value: number, length: number): string {
  let rest = value;
  let text = '';
  for (let at = 0; at < length; at++) {
    text += LETTERS[rest % LETTERS.length];
    rest = Math.floor(rest / LETTERS.length);
  }
  return text;
}

/** JSON with the fields of each object in the order of their names. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  fields.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join()}}`;
}

/** Objects of the store are never changed, so neither is their hash. */
const hashes = new WeakMap<object, string>();

/** Seven letters that say what a template is: the value of pod-template-hash and controller-revision-hash. */
export function templateHash(template: object): string {
  const known = hashes.get(template);
  if (known !== undefined) return known;
  const hash = word(fnv(canonical(template)), HASH_LENGTH);
  hashes.set(template, hash);
  return hash;
}

/** Five letters for the nth of its kind. */
export function suffix(kind: string, n: number): string {
  const mixed = fnv(`${kind} ${n}`);
  // The upper half, which FNV mixes best.
  return word(Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) >>> 0, SUFFIX_LENGTH);
}

const NAME_LENGTH_MAX = 253;

/** `base-end`, the base cut where both together would be longer than a name may be. */
export function joined(base: string, end: string, lengthMax = NAME_LENGTH_MAX): string {
  return `${base.slice(0, lengthMax - end.length - 1)}-${end}`;
}
