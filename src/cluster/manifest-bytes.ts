/** Bytes → text, as YAML 1.2 section 5.2 has it: UTF-8, or UTF-16 announced by a byte order mark. */
import type { ManifestText } from './manifests.ts';
import { ManifestError, type Problem } from './source.ts';

/**
 * The text of a manifest file.
 *
 * @throws ManifestError where the bytes are not what their encoding says; a replacement character would hide that.
 */
export function decodeManifest(file: string, bytes: Uint8Array): ManifestText {
  const encoding = encodingOf(bytes);
  try {
    return { file, text: new TextDecoder(encoding, { fatal: true }).decode(bytes) };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ManifestError([faultOf(file, bytes, encoding)]);
  }
}

function encodingOf(bytes: Uint8Array): 'utf-8' | 'utf-16le' | 'utf-16be' {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return 'utf-8';
}

/** Points at the first line that does not decode: lines of valid UTF-8 end where a byte is 0x0a. */
function faultOf(file: string, bytes: Uint8Array, encoding: string): Problem {
  const message = `found bytes that are not ${encoding.toUpperCase()}, expected text; save the file as UTF-8`;
  const problem = (line: number): Problem => ({
    place: { file, line, column: 1 },
    path: '',
    message,
    severity: 'error',
  });
  if (encoding !== 'utf-8') return problem(1);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const newline = bytes.indexOf(0x0a, start);
    const end = newline < 0 ? bytes.length : newline + 1;
    try {
      decoder.decode(bytes.subarray(start, end));
    } catch {
      return problem(line);
    }
    start = end;
  }
  return problem(line);
}
