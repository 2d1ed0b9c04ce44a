import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { close } from '../../src/sys/io.ts';
import { bindMount, MountFlag, mount, setHostname } from '../../src/sys/mount.ts';
import { createNamespace, inNamespace, type NamespaceKind, openNamespace } from '../../src/sys/namespace.ts';
import { missing } from '../support/requires.ts';

const lacks = missing('linux', 'root');
const kinds: NamespaceKind[] = ['net', 'mnt', 'uts'];

/** All that a visit elsewhere could leave changed. */
function whereabouts() {
  const links = [...kinds.map((kind) => `ns/${kind}`), 'cwd', 'root'];
  return links.map((link) => readlinkSync(`/proc/thread-self/${link}`));
}

/** Descriptors of the sorts that a visit opens; the test runner comes and goes with others. */
function openDescriptors(): string[] {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return 'closed meanwhile';
    }
  });
  return links.filter((link) => /^(net|mnt|uts):/.test(link) || link === '/' || link === process.cwd());
}

describe.skipIf(lacks)(`namespace${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  test.each(kinds)('%s: made, visited, left', (kind) => {
    const before = whereabouts();
    const at = kinds.indexOf(kind);
    let made: string | undefined;
    const fd = createNamespace(kind, () => {
      made = whereabouts()[at];
    });
    expect(whereabouts()).toEqual(before);
    expect(made).not.toBe(before[at]);
    expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe(made);

    expect(inNamespace(fd, kind, () => whereabouts()[at])).toBe(made);
    expect(whereabouts()).toEqual(before);

    const copy = openNamespace(`/proc/${process.pid}/fd/${fd}`);
    close(fd);
    expect(inNamespace(copy, kind, () => whereabouts()[at])).toBe(made);
    close(copy);
    expect(whereabouts()).toEqual(before);
  });

  test.each(kinds)('%s: back after a throw, with nothing left open', (kind) => {
    const fd = createNamespace(kind);
    const before = whereabouts();
    const descriptors = openDescriptors();
    const fail = () => {
      throw new Error('from inside');
    };
    expect(() => createNamespace(kind, fail)).toThrow('from inside');
    expect(() => inNamespace(fd, kind, fail)).toThrow('from inside');
    const other = kind === 'net' ? 'uts' : 'net';
    expect(() => inNamespace(fd, other, fail)).toThrow(`setns(${other}): EINVAL`);
    expect(() => openNamespace('/nonexistent')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(whereabouts()).toEqual(before);
    expect(openDescriptors()).toEqual(descriptors);
    close(fd);
  });

  test('net: visits nest, and children inherit', () => {
    const outer = createNamespace('net');
    const inner = createNamespace('net');
    const net = () => readlinkSync('/proc/thread-self/ns/net');
    const seen = inNamespace(outer, 'net', () => {
      const first = net();
      const second = inNamespace(inner, 'net', net);
      const child = execFileSync('readlink', ['/proc/self/ns/net'], { encoding: 'utf8' }).trim();
      return { first, second, third: net(), child };
    });
    expect(seen.second).toBe(readlinkSync(`/proc/self/fd/${inner}`));
    expect(seen.first).toBe(readlinkSync(`/proc/self/fd/${outer}`));
    expect([seen.third, seen.child]).toEqual([seen.first, seen.first]);
    close(outer);
    close(inner);
  });

  test('mnt: a file bound over another differs inside alone', () => {
    const directory = mkdtempSync(join(tmpdir(), 'podwire-mount-'));
    const [target, source] = [join(directory, 'resolv.conf'), join(directory, 'pod')];
    writeFileSync(target, 'of the host');
    writeFileSync(source, 'of the pod');
    const mountsBefore = readFileSync('/proc/thread-self/mountinfo', 'utf8');
    const fd = createNamespace('mnt', () => {
      bindMount(source, target);
      // A private root: neither this mount nor the one above may show outside.
      mount('tmpfs', '/mnt', 'tmpfs', MountFlag.noDevices | MountFlag.noExecution, 'size=64k');
      writeFileSync('/mnt/inside', 'x');
    });
    const read = () => readFileSync(target, 'utf8');
    expect([read(), inNamespace(fd, 'mnt', read), read()]).toEqual(['of the host', 'of the pod', 'of the host']);
    expect(inNamespace(fd, 'mnt', () => readFileSync('/mnt/inside', 'utf8'))).toBe('x');
    expect(() => readFileSync('/mnt/inside')).toThrow('ENOENT');
    expect(readFileSync('/proc/thread-self/mountinfo', 'utf8')).toBe(mountsBefore);
    expect(() => createNamespace('mnt', () => bindMount('/nonexistent', target))).toThrow(
      `mount(/nonexistent, ${target}): ENOENT`,
    );
    close(fd);
    rmSync(directory, { recursive: true });
  });

  test('uts: a host name of its own', () => {
    const before = hostname();
    const fd = createNamespace('uts', () => setHostname('pod-with-name'));
    expect(inNamespace(fd, 'uts', hostname)).toBe('pod-with-name');
    expect(hostname()).toBe(before);
    expect(() => createNamespace('uts', () => setHostname('x'.repeat(65)))).toThrow('EINVAL');
    close(fd);
  });
});
