/** Captures of others through the simulated cluster: always the same bytes, and sound ones. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readCaptureFile } from '../../src/capture/read-capture.ts';
import type { PacketRecord } from '../../src/capture/records.ts';
import { missing } from '../support/requires.ts';
import { outcomeOf } from './build.ts';
import { corpusFiles, corpusFolder } from './corpus.ts';
import { counts, PATH, replayed, type Setting } from './replay-world.ts';

/** One file in so many: a quick look. */
const SAMPLE = 40;
const hops = ['pod/default/a', 'pod/default/b', 'node/n1:host', 'node/n2:underlay'];

async function packetsOf(path: string): Promise<readonly PacketRecord[]> {
  return (await outcomeOf(readCaptureFile(path))).packets;
}

async function hashOf(packets: readonly PacketRecord[], setting: Setting): Promise<string> {
  const result = await replayed(packets, setting);
  expect(counts(result).read).toBe(packets.length);
  return createHash('sha256').update(result.bytes).digest('hex');
}

describe.skipIf(missing('testdata'))('captures of others (needs PODWIRE_TESTDATA)', () => {
  test('give the same bytes again', async () => {
    const files = corpusFiles().filter((_, i) => i % SAMPLE === 0);
    expect(files.length).toBeGreaterThan(30);
    for (const [i, { file, path }] of files.entries()) {
      const at = hops[i % hops.length]!;
      const first = await hashOf(await packetsOf(path), { at });
      expect(await hashOf(await packetsOf(path), { at }), `${file} at ${at}`).toBe(first);
    }
  }, 60_000);

  test('another seed changes nothing of what happens', async () => {
    const packets = await packetsOf(join(corpusFolder, 'kernel-oracle/pmtu-client.pcap'));
    const map = { '10.1.0.1': 'pod/default/a', '10.2.0.1': 'pod/default/b' };
    const [one, two] = [
      await replayed(packets, { at: 'auto', map }),
      await replayed(packets, { at: 'auto', map, seed: 2 }),
    ];
    expect(two.rows.map(({ comment }) => comment)).toEqual(one.rows.map(({ comment }) => comment));
  });

  test.each(hops)('hostile frames at %s have an end each', async (at) => {
    const packets = await packetsOf(join(corpusFolder, '../hostile/hostile.pcap'));
    const { read, fed } = counts(await replayed(packets, { at }));
    expect([read, fed > 0 || at.endsWith('underlay')]).toEqual([packets.length, true]);
  });

  describe('a web page that was fetched in 2004', () => {
    const file = join(corpusFolder, 'snabb/lib__pflua__tests__data__v4.pcap');
    const servers = ['65.208.228.223', '216.239.59.99', '145.253.2.203'];
    const map = Object.fromEntries([['145.254.160.237', PATH[0]!], ...servers.map((address) => [address, PATH[3]!])]);
    const MALFORMED =
      '_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || udp.checksum.status == 0';

    test('reaches the other pod whole', async () => {
      const packets = await packetsOf(file);
      const result = await replayed(packets, { at: 'auto', map });
      expect(counts(result)).toMatchObject({ fed: 43, forwarded: 43, answered: 0 });
      for (const i of packets.keys()) {
        const hops = new Set(result.rows.filter(({ id }) => id === i + 1).map(({ hop }) => hop));
        expect([...hops].sort()).toEqual([...PATH].sort());
      }
      // Its first packets open the connection, TCP over port 3372.
      const comments = [1, 2, 3, 4].map((id) =>
        result.rows.filter((row) => row.id === id).map(({ comment }) => comment),
      );
      expect(comments.map(([first]) => /conntrack .*/.exec(first!)![0])).toEqual([
        'conntrack NEW, tcp SYN_SENT, original',
        'conntrack ESTABLISHED, tcp SYN_RECV, reply',
        'conntrack ESTABLISHED, tcp ESTABLISHED, original',
        'conntrack ESTABLISHED, tcp ESTABLISHED, original',
      ]);
    });

    test.skipIf(missing('program:tshark'))('as tshark sees it too: nothing malformed, no checksum wrong', async () => {
      const { bytes, rows } = await replayed(await packetsOf(file), { at: 'auto', map });
      const folder = mkdtempSync(join(tmpdir(), 'podwire-replay-'));
      try {
        const path = join(folder, 'out.pcapng');
        writeFileSync(path, bytes);
        expect(tshark(file, MALFORMED)).toBe('');
        expect(tshark(path, MALFORMED)).toBe('');
        expect(tshark(path, 'frame').trim().split('\n')).toHaveLength(rows.length);
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  });
});

function tshark(path: string, filter: string): string {
  const checks = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
  return execFileSync('tshark', ['-r', path, ...checks, '-Y', filter], { encoding: 'utf8', stdio: 'pipe' });
}
