/**
 * `dns/`: the cluster's name server. From the bytes of a query to the bytes of an answer all is pure (`respond`); only
 * `server.ts` has sockets. It is authoritative for the cluster's zone and for reverse names, and asks nobody else.
 *
 * A domain name is a string as it stands on the wire, without the root's zero: each label as a character that is its
 * length, then its bytes, one character each: `web.default` is "\x03web\x07default". So a label may hold any byte, the
 * end of a name from any label on is a name, and equal strings are equal names. The root is the empty string.
 */
export type Name = string;

/** RFC 1035 §2.3.4, the root's zero counted. */
export const NAME_LEN_MAX = 255;
export const LABEL_LEN_MAX = 63;

const hostLabel = /^[\x21-\x7e]+$/;

/** @param text such as `web.default.svc.cluster.local`, with or without a dot at the end. Undefined when it is no name. */
export function nameOf(text: string): Name | undefined {
  const relative = text.endsWith('.') ? text.slice(0, -1) : text;
  if (relative === '') return '';
  let name = '';
  for (const label of relative.split('.')) {
    if (label.length > LABEL_LEN_MAX || !hostLabel.test(label)) return undefined;
    name += String.fromCharCode(label.length) + label;
  }
  return name.length < NAME_LEN_MAX ? name : undefined;
}

/** For names known to be valid: their parts have been checked before. @throws RangeError */
export function validName(text: string): Name {
  const name = nameOf(text);
  if (name === undefined) throw new RangeError(`not a domain name: ${JSON.stringify(text)}`);
  return name;
}

export function labelsOf(name: Name): string[] {
  const labels: string[] = [];
  for (let at = 0; at < name.length; ) {
    const end = at + 1 + name.charCodeAt(at);
    labels.push(name.slice(at + 1, end));
    at = end;
  }
  return labels;
}

/**
 * For comparing (RFC 4343). It lowers letters beyond ASCII too, which no name of ours has, and leaves lengths alone:
 * they are below 64, where no letters are.
 */
export function lowerCase(name: Name): Name {
  return name.toLowerCase();
}

/** Is it `other`, or below it? Both in lower case. */
export function isWithin(name: Name, other: Name): boolean {
  if (!name.endsWith(other)) return false;
  let at = 0;
  while (at < name.length - other.length) at += 1 + name.charCodeAt(at);
  // In the middle of a label, bytes may only look like the other name.
  return at === name.length - other.length;
}
