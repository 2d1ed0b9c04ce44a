import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { report, type TestCluster } from '../support/cluster.ts';

const files = {
  hold: new URL('./programs/hold.mjs', import.meta.url),
  hostnames: new URL('./programs/hostnames.mjs', import.meta.url),
  ticker: new URL('./programs/ticker.mjs', import.meta.url),
  transfer: new URL('./programs/transfer.mjs', import.meta.url),
  'udp-count': new URL('./programs/udp-count.mjs', import.meta.url),
  'udp-echo': new URL('./programs/udp-echo.mjs', import.meta.url),
};

/** The command that runs one of `programs/`. */
export function program(name: keyof typeof files): string[] {
  return [process.execPath, fileURLToPath(files[name])];
}

/** Pings once and returns the TTL (hop limit) of the answer. */
export async function ping(
  cluster: TestCluster,
  from: string,
  to: string,
  flags: readonly string[] = [],
): Promise<number> {
  const { code, stdout, stderr } = await cluster.exec(from, ['ping', '-c', '1', '-W', '5', ...flags, to]);
  expect({ code, received: /(\d) received/.exec(stdout)?.[1] }, stdout + stderr).toEqual({ code: 0, received: '1' });
  return Number(/ttl=(\d+)/.exec(stdout)?.[1]);
}

interface Transferred {
  readonly sent: string;
  readonly received: string;
  readonly receivedBytes: number;
}

/** A connection that carries random bytes both ways at once. @returns the server's and the client's report. */
export async function transfer(
  cluster: TestCluster,
  from: string,
  to: string,
  address: string,
  port: number,
  bytes: number,
) {
  const server = cluster.startExec(to, [...program('transfer'), 'serve', String(port), String(bytes)]);
  await server.says(/listening/);
  const client = await cluster.exec(from, [...program('transfer'), 'connect', address, String(port), String(bytes)]);
  expect(client.code, client.stderr).toBe(0);
  const serverSide = await server.result;
  expect(serverSide.code, serverSide.stderr).toBe(0);
  report(`${from} to ${to}: ${bytes >> 20} MiB both ways in ${Math.round(client.ms)} ms`);
  return {
    client: JSON.parse(client.stdout) as Transferred,
    server: JSON.parse(serverSide.stdout.split('\n')[1]!) as Transferred,
  };
}

/** Every packet is accounted for now, and none was dropped for a reason that is not in `explained`. */
export async function expectAccounted(cluster: TestCluster, explained: readonly string[] = []): Promise<void> {
  for (const node of ['n1', 'n2']) {
    const counters = await cluster.counters(node);
    const { received, originated, copied, split, delivered, held, violations, dropped, consumed } = counters;
    const sum = (reasons: Readonly<Record<string, number>>) => Object.values(reasons).reduce((a, b) => a + b, 0);
    expect(violations).toBe(0);
    expect(received + originated + copied + split, JSON.stringify(counters)).toBe(
      delivered + held + sum(dropped) + sum(consumed),
    );
    expect(Object.keys(dropped).filter((reason) => !explained.includes(reason))).toEqual([]);
  }
}
