/** On what, of which commit, with which programs: what a reader of figures must know. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The first line that a command prints; undefined when it cannot be had. */
function ask(command: string, ...words: string[]): string | undefined {
  try {
    const text = execFileSync(command, words, { encoding: 'utf8', cwd: root, stdio: ['ignore', 'pipe', 'ignore'] });
    return text.trim().split('\n')[0];
  } catch {
    return undefined;
  }
}

/**
 * Lines: date and commit, the machine, packages.
 *
 * @param packages Debian packages whose versions matter. @param congestion TCP's, where it was chosen.
 */
export function circumstances(
  date = today(),
  packages: readonly string[] = [],
  congestion = ownCongestion(),
): string[] {
  const commit = ask('git', 'rev-parse', '--short', 'HEAD') ?? 'unknown';
  const changed = ask('git', 'status', '--porcelain', '--', 'src', 'bench');
  const versions = packages.flatMap((name) => {
    const version = ask('dpkg-query', '--show', name)?.split('\t')[1];
    return version === undefined || version === '' ? [] : [`${name} ${version}`];
  });
  return [
    `${date}, commit ${commit}${changed === undefined || changed === '' ? '' : ' with changes'}`,
    `${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.versions.node}, TCP ${congestion}`,
    ...(versions.length > 0 ? [`Debian's ${versions.join(', ')}`] : []),
  ];
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}

/** The system's, with which network namespaces begin. */
function ownCongestion(): string {
  return readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim();
}
