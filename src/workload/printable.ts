const LENGTH_MAX = 200;

/** A client's bytes, fit for a line of a log that is read on a terminal: printable ASCII, and not long. */
export function printable(text: string): string {
  const short = text.length > LENGTH_MAX ? `${text.slice(0, LENGTH_MAX)}...` : text;
  return short.replaceAll(/[^\x20-\x7e]/g, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
