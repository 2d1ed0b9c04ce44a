/** The command: what it reads, writes, says and refuses. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { run, usage } from '../../src/cli/replay.ts';
import { readBytes, Writer } from '../capture/build.ts';
import { buildFrame, joined } from '../support/frames.ts';
import { missing } from '../support/requires.ts';

const folder = mkdtempSync(join(tmpdir(), 'podwire-replay-'));
afterAll(() => rmSync(folder, { recursive: true }));
const inFolder = (name: string) => join(folder, name);

const writer = new Writer(true);
const ends = { source: '10.244.0.2', destination: '10.244.1.2' } as const;
const frames = [
  buildFrame({ ...ends, flags: 2 }),
  buildFrame({ ...ends, source: '10.9.9.9' }),
  buildFrame({ ...ends, source: '10.9.9.9', protocol: 'udp' }),
  buildFrame({ ...ends, ttl: 1, flags: 2, sourcePort: 7 }),
];
const packets = frames.map((frame, i) => writer.packet(0, 1_700_000_000_000_000n + BigInt(i), frame));
const cut = writer.packet(0, 1_700_000_000_000_009n, frames[0]!.slice(0, 30), [], 24);
const whole = joined(writer.section(), writer.interface(1), ...packets, cut);
const IN = inFolder('in.pcapng');
const OUT = inFolder('out.pcapng');
writeFileSync(IN, whole);

const TABLE = `read               5
replayed           4
  not replayed: cut short   1
forwarded          1
dropped            3
  SpoofedSource    2
  TtlExceeded      1
answered           1
written            9
`.replaceAll(/ +(\d)/g, ' $1');

let said = '';
beforeEach(() => {
  said = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(OUT, { force: true });
});

/** What was written, in interfaces and comments. */
async function written(path = OUT): Promise<string[]> {
  const { packets: found, error } = await readBytes(readFileSync(path));
  expect(error).toBeUndefined();
  return found.map((packet) => `${packet.interface.name}: ${packet.comments.join()}`);
}

describe('podwire replay', () => {
  test('writes what the default cluster does, and says how much of what', async () => {
    expect(await run([IN, '--at', 'pod/default/a', '-w', OUT])).toBe(0);
    expect(said.replaceAll(/ +(\d)/g, ' $1')).toBe(TABLE);
    const rows = await written();
    expect(rows).toHaveLength(9);
    expect(rows[3]).toBe('pod/default/b: n2: to pod/default/b, from n1 | sent | conntrack NEW, tcp SYN_SENT, original');
    expect(rows.at(-1)).toBe('input: replay: cut short at 30 of 54 bytes, not replayed');
  });

  test('the same twice, from gzip too', async () => {
    const again = inFolder('again.pcapng');
    writeFileSync(inFolder('in.gz'), gzipSync(whole));
    await run([IN, '--at', 'pod/default/a', '-w', OUT]);
    await run([inFolder('in.gz'), '--at', 'pod/default/a', '-w', again]);
    expect(readFileSync(again)).toEqual(readFileSync(OUT));
  });

  test('in the cluster of manifests', async () => {
    const manifest = inFolder('one.yaml');
    writeFileSync(manifest, 'apiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop}\n');
    expect(await run([IN, '--at', 'pod/shop/web', '-f', manifest, '--nodes', '3', '-w', OUT])).toBe(0);
    expect((await written())[2]).toContain('node/n2:underlay: n2: from n1 | DROPPED at route: NoSuchPod');
  });

  test('as captured on the way back, with addresses mapped', async () => {
    const words = ['--at', 'auto', '--map', '10.9.9.9=pod/default/b', '--map', '10.244.1.2=node/n1:host', '-w', OUT];
    expect(await run([IN, ...words])).toBe(0);
    expect(said).toMatch(/of a source that is not mapped +2/);
    expect((await written()).some((row) => row.startsWith('node/n1:host: n1: to node/n1:host, from n2'))).toBe(true);
  });

  test('with the underlay’s MTU', async () => {
    const long = joined(
      writer.section(),
      writer.interface(1),
      writer.packet(0, 1n, buildFrame({ ...ends, payload: 1330 })),
    );
    writeFileSync(inFolder('long.pcapng'), long);
    expect(await run([inFolder('long.pcapng'), '--at', 'pod/default/a', '--mtu', '1400', '-w', OUT])).toBe(0);
    expect(said).toMatch(/MtuExceeded +1/);
  });

  test('has what was in front of a damage, and says where that is', async () => {
    const damaged = inFolder('damaged.pcapng');
    writeFileSync(damaged, whole.subarray(0, whole.length - cut.length - 9));
    expect(await run([damaged, '--at', 'pod/default/a', '-w', OUT])).toBe(1);
    expect(said).toMatch(/damaged\.pcapng: byte \d+: expected .*, found .*\nread +3\n/s);
    expect(await written()).toHaveLength(6);
  });

  test.each([
    ['nothing', new Uint8Array(0), 'byte 0: expected a capture file, found an empty one'],
    ['something else', new TextEncoder().encode('hello, world'), 'byte 0: expected the magic number'],
  ])('of %s is a capture of nothing', async (_, bytes, words) => {
    writeFileSync(inFolder('other'), bytes);
    expect(await run([inFolder('other'), '--at', 'pod/default/a', '-w', OUT])).toBe(1);
    expect(said).toContain(words);
    expect(await written()).toEqual([]);
  });

  test('any damage is an end, not a crash', async () => {
    for (let at = 0; at < whole.length; at += 13) {
      writeFileSync(inFolder('bad'), whole.with(at, whole[at]! ^ 0xff));
      expect([0, 1]).toContain(await run([inFolder('bad'), '--at', 'pod/default/a', '-w', OUT]));
      await written();
    }
  });
});

describe('podwire replay refuses', () => {
  const rest = ['--at', 'pod/default/a', '-w', OUT];
  test.each<[string, string[], string]>([
    ['no input', rest, 'expected one capture file'],
    ['two inputs', [IN, IN, ...rest], 'expected one capture file'],
    ['no hop', [IN, '-w', OUT], '--at HOP is needed'],
    ['no output', [IN, '--at', 'pod/default/a'], '-w OUT is needed'],
    ['a classic file', [IN, '--at', 'pod/default/a', '-w', 'x.pcap'], 'no room for what became of packets'],
    [
      'a hop that is not there',
      [IN, '--at', 'pod/default/c', '-w', OUT],
      'no hop "pod/default/c"; did you mean pod/default/a?',
    ],
    [
      'any hop',
      [IN, '--at', 'x', '-w', OUT],
      'no hop "x"; there is pod/default/a, node/n1:host, pod/default/b, node/n2:host, ',
    ],
    ['auto without a map', [IN, '--at', 'auto', '-w', OUT], '--at auto needs --map'],
    [
      'a map of tunnels',
      [IN, '--at', 'node/n1:underlay', '-w', OUT, '--map', '1.2.3.4=pod/default/a'],
      'does not reach into',
    ],
    [
      'a map of a name',
      [IN, ...rest, '--map', 'web=pod/default/a'],
      '--map takes ADDRESS=HOP, found "web=pod/default/a"',
    ],
    ['a map to nowhere', [IN, ...rest, '--map', '1.2.3.4'], '--map takes ADDRESS=HOP, found "1.2.3.4"'],
    ['a map to an underlay', [IN, ...rest, '--map', '1.2.3.4=node/n1:underlay'], 'no hop "node/n1:underlay"'],
    [
      'an address twice',
      [IN, ...rest, '--map', '::1=pod/default/a', '--map', '0::1=pod/default/b'],
      '--map has ::1 twice',
    ],
    ['other MACs', [IN, ...rest, '--macs', 'mine'], '--macs takes hop or keep, found "mine"'],
    ['a seed in words', [IN, ...rest, '--seed', 'lucky'], '--seed takes a whole number'],
    ['a file that is not there', [inFolder('none'), ...rest], 'none: no such file'],
    ['a folder', [folder, ...rest], 'a directory, expected a capture file'],
  ])('%s', async (_, words, message) => {
    await expect(run(words)).rejects.toThrow(message);
    expect(existsSync(OUT)).toBe(false);
  });

  test('to overwrite what it reads, by whatever name', async () => {
    symlinkSync(IN, inFolder('link'));
    for (const out of [IN, inFolder('link')]) {
      await expect(run([IN, '--at', 'pod/default/a', '-w', out])).rejects.toThrow('the capture that is to be replayed');
    }
    expect(readFileSync(IN)).toEqual(Buffer.from(whole));
  });

  test('a map to a family that the cluster does not have', async () => {
    const manifest = inFolder('ipv4.yaml');
    const cluster = 'apiVersion: podwire.dev/v1alpha1\nkind: Cluster\nnetworking: {ipFamily: ipv4}\n';
    writeFileSync(manifest, `${cluster}---\napiVersion: v1\nkind: Pod\nmetadata: {name: a}\n`);
    const words = [IN, ...rest, '-f', manifest, '--map', '::2=pod/default/a'];
    await expect(run(words)).rejects.toThrow('pod/default/a has no IPv6 address for ::2');
  });
});

test('the help fits a terminal', () => {
  for (const line of usage.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
});

test.skipIf(missing('linux'))('standard input and output, as a user has them', () => {
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
  const home = inFolder('home');
  mkdirSync(home);
  chmodSync(home, 0o700);
  const words = ['--import', 'tsx', main, 'replay', '-', '--at', 'pod/default/a', '-w', '-'];
  const env = { ...process.env, PODWIRE_HOME: home };
  const bytes = execFileSync(process.execPath, words, { input: whole, stdio: 'pipe', env });
  writeFileSync(OUT, bytes);
  return run([IN, '--at', 'pod/default/a', '-w', inFolder('file.pcapng')]).then(() => {
    expect(readFileSync(inFolder('file.pcapng'))).toEqual(readFileSync(OUT));
  });
});
