/** The folder that captures of a check go to. */
import { accessSync, constants, existsSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { makeDirectory } from '../vessel/make-directory.ts';
import type { CheckedPair } from './report.ts';

const NAME_LEN_MAX = 80;
/** What `captureName` makes. */
const CAPTURE_NAME = /^\d{3,}-[A-Za-z0-9._-]+-to-[A-Za-z0-9._-]+-(icmp|(tcp|udp|sctp)-\d+)\.pcapng$/;

/** `001-shop_web-1-to-shop_db-1-tcp-5432.pcapng`: nothing in it that a file system, or a shell, understands otherwise. */
export function captureName(number: number, { pair }: Pick<CheckedPair, 'pair'>): string {
  const { from, to, protocol, port } = pair;
  const safe = (text: string) => text.replace(/[^A-Za-z0-9.-]+/g, '_').slice(0, NAME_LEN_MAX);
  const where = protocol === 'ICMP' ? 'icmp' : `${protocol.toLowerCase()}-${port}`;
  return `${String(number).padStart(3, '0')}-${safe(from.name)}-to-${safe(to.name)}-${where}.pcapng`;
}

export class CaptureFolder {
  readonly path: string;
  /** Folders that were made for it, the innermost first. */
  readonly #made: readonly string[];

  /** Makes it, where it is not there; removes what an earlier check has left in it. @throws the system's error */
  constructor(path: string) {
    this.path = path;
    const made: string[] = [];
    for (let at = resolve(path); !existsSync(at); at = dirname(at)) made.push(at);
    this.#made = made;
    try {
      makeDirectory(path);
      accessSync(path, constants.W_OK | constants.X_OK);
      for (const entry of readdirSync(path, { withFileTypes: true })) {
        if (entry.isFile() && CAPTURE_NAME.test(entry.name)) rmSync(join(path, entry.name));
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Removes what was made for nothing. */
  close(): void {
    try {
      for (const path of this.#made) rmdirSync(path);
    } catch {
      // There is something in it, or it is somebody else's by now.
    }
  }
}
