/** What is left of a contender when it should be gone. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MARK = `PODWIRE_RIVALS_TRY=${process.pid}`;
const NAMED_NAMESPACES = '/run/netns';

/**
 * From now on every process that this one starts, and what that starts, can be told from others' by its environment, and has a
 * directory of its own for temporary files.
 */
export function markChildren(): void {
  const [name, value] = MARK.split('=') as [string, string];
  process.env[name] = value;
  const directory = mkdtempSync(join(tmpdir(), 'pw-try-'));
  process.env['TMPDIR'] = directory;
  process.on('exit', () => rmSync(directory, { recursive: true, force: true }));
}

/** Names of what is there; compare two readings. */
export function presence(): Set<string> {
  return new Set([...markedProcesses(), ...directories(), ...namedNamespaces(), ...devices()]);
}

function markedProcesses(): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(MARK)) return [];
      return [`process ${pid} ${readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')}`];
    } catch {
      return []; // it has just gone
    }
  });
}

function directories(): string[] {
  const names = readdirSync(tmpdir()).filter((name) => name.startsWith('pw-rival-'));
  return names.map((name) => `directory ${name}`);
}

function namedNamespaces(): string[] {
  try {
    return readdirSync(NAMED_NAMESPACES).map((name) => `namespace ${name}`);
  } catch {
    return []; // never used on this machine
  }
}

/** Of the network namespace that this process is in. */
function devices(): string[] {
  const lines = readFileSync('/proc/net/dev', 'utf8').split('\n').slice(2);
  return lines.filter((line) => line !== '').map((line) => `device ${line.slice(0, line.indexOf(':')).trim()}`);
}
