/** Do two JSON values say the same? Order of fields is free; a field that is undefined is a field that is not there. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    return a.every((item, index) => sameJson(item, b[index]));
  }
  return hasFieldsOf(a, b) && hasFieldsOf(b, a, false);
}

/** Has `b` the fields of `a`, with the same values when `deep`? */
function hasFieldsOf(a: object, b: object, deep = true): boolean {
  const other = b as Readonly<Record<string, unknown>>;
  return Object.entries(a).every(([name, value]) => {
    if (value === undefined) return !Object.hasOwn(other, name) || other[name] === undefined;
    return Object.hasOwn(other, name) && (!deep || sameJson(value, other[name]));
  });
}
