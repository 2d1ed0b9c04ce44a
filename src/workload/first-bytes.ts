/** Which protocol a client speaks, from the first bytes that it sends: all of them come to the same port. */

export type Spoken = 'http' | 'http2' | 'tls' | 'other' | 'undecided';

/** RFC 9110 §9 and RFC 5789. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH'];
/** How a request line begins: method, space, target in origin form, asterisk form or absolute form (RFC 9112 §3). */
const requestLines = [
  ...methods.flatMap((method) => ['/', '*', 'http'].map((form) => `${method} ${form}`)),
  'CONNECT ',
];
/** The client's preface of HTTP/2 with prior knowledge (RFC 9113 §3.4). */
const http2Preface = 'PRI * HTTP/2.0\r\n';
const texts = [
  ...requestLines.map((text) => ({ text, spoken: 'http' as const })),
  { text: http2Preface, spoken: 'http2' as const },
];
const TEXT_LEN_MAX = Math.max(...texts.map(({ text }) => text.length));

const firstBytes = new Set(texts.map(({ text }) => text.charCodeAt(0)));

/** TLS record: type handshake, version 3.x, two bytes of length, then the type client_hello (RFC 8446 §4, §5.1). */
const HANDSHAKE = 22;
const MAJOR_VERSION = 3;
const CLIENT_HELLO = 1;
const CLIENT_HELLO_AT = 5;

/**
 * At most 16 bytes are looked at, so no client can make the question long.
 *
 * @returns `undecided` while the bytes are the beginning of something known and not all of it.
 */
export function spokenBy(bytes: Uint8Array): Spoken {
  if (bytes.length === 0) return 'undecided';
  if (bytes[0] === HANDSHAKE) return spokenByRecord(bytes);
  if (!firstBytes.has(bytes[0]!)) return 'other';
  const begin = String.fromCharCode(...bytes.subarray(0, TEXT_LEN_MAX));
  const known = texts.find(({ text }) => begin.startsWith(text));
  if (known !== undefined) return known.spoken;
  return texts.some(({ text }) => text.startsWith(begin)) ? 'undecided' : 'other';
}

function spokenByRecord(bytes: Uint8Array): Spoken {
  if (bytes.length > 1 && bytes[1] !== MAJOR_VERSION) return 'other';
  if (bytes.length <= CLIENT_HELLO_AT) return 'undecided';
  return bytes[CLIENT_HELLO_AT] === CLIENT_HELLO ? 'tls' : 'other';
}
