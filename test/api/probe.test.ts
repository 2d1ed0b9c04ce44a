import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiClient } from '../../src/api/client.ts';
import { PROBE_PATH } from '../../src/api/probe.ts';
import type { RunningNode, RunningPod } from '../../src/cluster/cluster.ts';
import type { ProbeReport } from '../../src/nodes/protocol.ts';
import { CLUSTER, ServedCluster } from './served-cluster.ts';

const from = { namespace: 'shop', pod: 'web' };
const whole = { from, address: '10.96.0.7', port: 80, protocol: 'UDP', timeoutMs: 50 };

describe('POST /apis/podwire.dev/v1/probe', () => {
  let served: ServedCluster;
  let client: ApiClient;

  beforeAll(async () => {
    served = await ServedCluster.start();
    process.env['PODWIRE_HOME'] = served.home;
    client = new ApiClient(CLUSTER);
    const { cluster } = served;
    cluster.nodes.set('n1', { node: { name: 'n1' }, supervisor: {} } as RunningNode);
    cluster.pods.set('shop/web', { pod: { key: 'shop/web' }, ending: false } as RunningPod);
    cluster.pods.set('shop/old', { pod: { key: 'shop/old' }, ending: true } as RunningPod);
  });
  afterAll(() => {
    delete process.env['PODWIRE_HOME'];
    served.close();
  });

  test('asks from a pod, or from a node', async () => {
    const { from: _, ...question } = whole;
    const answer = await client.post<ProbeReport>(PROBE_PATH, whole);
    expect(answer.detail).toBe(`pod shop/web ${JSON.stringify(question)}`);
    const fromNode = await client.post<ProbeReport>(PROBE_PATH, { ...whole, from: { node: 'n1' } });
    expect(fromNode.detail).toBe(`node n1 ${JSON.stringify(question)}`);
  });

  test('TCP, and a second, where nothing else is said; ICMP needs no port', async () => {
    const least = await client.post<ProbeReport>(PROBE_PATH, { from, address: 'fd00::1', port: 65_535 });
    expect(least.detail).toContain('{"address":"fd00::1","port":65535,"protocol":"TCP","timeoutMs":1000}');
    const chosen = await client.post<ProbeReport>(PROBE_PATH, { ...whole, sourcePort: 40_000 });
    expect(chosen.detail).toContain('"timeoutMs":50,"sourcePort":40000}');
    const ping = await client.post<ProbeReport>(PROBE_PATH, { from, address: '10.0.0.1', protocol: 'ICMP' });
    expect(ping.detail).toContain('"port":0,"protocol":"ICMP"');
  });

  for (const [change, code, words] of [
    [{ from: { namespace: 'shop', pod: 'gone' } }, 404, 'pods "gone" not found in namespace "shop"'],
    [{ from: { node: 'n9' } }, 404, 'nodes "n9" not found'],
    [{ from: { namespace: 'shop', pod: 'old' } }, 409, 'pods "old" is being deleted'],
    [{ from: { pod: 'web' } }, 400, 'from: expected'],
    [{ from: 'web' }, 400, 'from: expected'],
    [{ address: 'web' }, 400, 'address: expected an IP address'],
    [{ protocol: 'GRE' }, 400, 'protocol: expected TCP, UDP, SCTP, ICMP'],
    [{ port: 0 }, 400, 'port: expected a number from 1 to 65535'],
    [{ port: 65_536 }, 400, 'port: expected'],
    [{ port: '80' }, 400, 'port: expected'],
    [{ sourcePort: 0 }, 400, 'sourcePort: expected a number from 1 to 65535'],
    [{ sourcePort: 65_536 }, 400, 'sourcePort: expected'],
    [{ timeoutMs: 0 }, 400, 'timeoutMs: expected a number from 1 to 60000'],
    [{ timeoutMs: 60_001 }, 400, 'timeoutMs: expected'],
  ] as const) {
    test(`refuses ${JSON.stringify(change)}`, async () => {
      const asked = client.post(PROBE_PATH, { ...whole, ...change });
      await expect(asked).rejects.toMatchObject({ code, message: expect.stringContaining(words) });
    });
  }

  test('refuses what is no object', async () => {
    await expect(client.post(PROBE_PATH, [])).rejects.toMatchObject({ code: 400 });
  });
});
