/**
 * What an unquoted word of YAML means. Kubernetes reads YAML 1.1 as go-yaml does (sigs.k8s.io/yaml, goyaml.v2/resolve.go):
 * `no` and `on` are booleans, `012` is ten; base-60 numbers are text, and so are dates. Whoever writes `a: no` under
 * labels gets the same complaint here as from kubectl.
 */

const WORDS = new Map<string, null | boolean | number>([
  ...everyCase(['y', 'yes', 'true', 'on'], true),
  ...everyCase(['n', 'no', 'false', 'off'], false),
  ...everyCase(['null'], null),
  ['', null],
  ['~', null],
  ...['.nan', '.NaN', '.NAN'].map((word) => [word, Number.NaN] as const),
  ...['.inf', '.Inf', '.INF'].flatMap((word) => [
    [word, Number.POSITIVE_INFINITY] as const,
    [`+${word}`, Number.POSITIVE_INFINITY] as const,
    [`-${word}`, Number.NEGATIVE_INFINITY] as const,
  ]),
]);

/** word, Word, WORD: the spellings YAML 1.1 lists. */
function everyCase<T>(words: readonly string[], value: T): [string, T][] {
  return words.flatMap((word) => {
    const spellings = new Set([word, word[0]!.toUpperCase() + word.slice(1), word.toUpperCase()]);
    return [...spellings].map((spelling): [string, T] => [spelling, value]);
  });
}

const FLOAT = /^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$/;
const INTEGER_WITH_BASE = /^([-+]?)(0[xX][0-9a-fA-F]+|0[oO]?[0-7]+|0[bB][01]+)$/;

/** The value of an unquoted scalar. Integers beyond 2^53 lose digits: no field podwire reads is that large. */
export function resolvePlain(text: string): null | boolean | number | string {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  if (!/^[-+.0-9]/.test(text)) return text;
  const digits = text.replaceAll('_', '');
  const based = INTEGER_WITH_BASE.exec(digits);
  if (based !== null) {
    const magnitude = based[2]!;
    const value = /^0[0-7]/.test(magnitude) ? Number.parseInt(magnitude, 8) : Number(magnitude);
    return based[1] === '-' ? -value : value;
  }
  return FLOAT.test(digits) ? Number(digits) : text;
}
