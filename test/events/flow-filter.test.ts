/** Filters, on records of a real dataplane. */
import { describe, expect, test } from 'vitest';
import { readObserve } from '../../src/cli/observe-arguments.ts';
import { flowFilter, wantsOnlyDrops } from '../../src/events/flow-filter.ts';
import { nodes } from '../dataplane/world.ts';
import { FlowWorld } from './flow-world.ts';

const NOW_MS = Date.UTC(2026, 10, 20, 10);
const [db4, db6] = nodes.n2.pod;

/** Events of all kinds; each has a destination port by which the tests tell it. */
function everything() {
  const world = new FlowWorld();
  world.send('web', { destination: db4, destinationPort: 1, flags: 2 });
  world.tunnel('n2', { sourcePort: 1, destinationPort: 40_000, flags: 0x12 });
  world.send('web', { destinationPort: 2, protocol: 'udp' });
  world.send('api', { destination: db6, destinationPort: 3, protocol: 'udp' });
  world.send('api', { destination: '10.244.1.99', destinationPort: 4, protocol: 'sctp' });
  world.send('web', { source: '10.244.1.3', destination: db4, destinationPort: 5, flags: 2 });
  world.send('host', { destination: '10.244.1.2', destinationPort: 6, flags: 2 });
  return world.records();
}

const records = everything();

function passing(...argv: string[]): number[] {
  const { wanted } = readObserve(argv, NOW_MS, false);
  return records.filter(wanted).map(({ l4 }) => (l4?.TCP ?? l4?.UDP ?? l4?.SCTP)!.destination_port);
}

describe('what passes', () => {
  for (const [words, ports] of [
    ['', [1, 40_000, 2, 3, 4, 5, 6]],
    ['--verdict DROPPED', [4, 5]],
    ['--verdict forwarded', [1, 40_000, 2, 3, 6]],
    ['--verdict FORWARDED --verdict DROPPED', [1, 40_000, 2, 3, 4, 5, 6]],
    ['--drop-reason-desc spoofedsource', [5]],
    ['--type drop', [4, 5]],
    ['-t trace', [1, 40_000, 2, 3, 6]],
    ['-t trace:to-overlay', [1, 3]],
    ['-t trace:to-overlay -t drop', [1, 3, 4, 5]],
    ['--pod shop/web', [1, 40_000, 2, 5, 6]],
    ['--pod shop/w', [1, 40_000, 2, 5, 6]],
    ['--pod web', []],
    ['--pod web -n shop', [1, 40_000, 2, 5, 6]],
    ['--pod web -A', [1, 40_000, 2, 5, 6]],
    ['--pod shop/web -A', [1, 40_000, 2, 5, 6]],
    ['--from-pod shop/web', [1, 2, 5]],
    ['--to-pod shop/web', [40_000, 6]],
    ['--to-pod data/', [1, 3, 5]],
    ['--from-pod shop/api --from-pod data/db', [40_000, 3, 4]],
    ['-n data', [1, 40_000, 3, 5]],
    ['--to-namespace shop', [40_000, 2, 6]],
    ['-A', [1, 40_000, 2, 3, 4, 5, 6]],
    ['--ip 10.244.2.7', [1, 40_000, 5]],
    ['--from-ip 10.244.1.3', [4, 5]],
    ['--to-ip 10.244.1.96/30', [4]],
    ['--ip 10.244.1.0/24', [1, 40_000, 2, 4, 5, 6]],
    ['--ip 0.0.0.0/0', [1, 40_000, 2, 4, 5, 6]],
    ['--ip ::/0', [3]],
    ['--ip fd00:10:244:2::/64', [3]],
    ['-6', [3]],
    ['-4 -6', [1, 40_000, 2, 3, 4, 5, 6]],
    ['--ip-version v4', [1, 40_000, 2, 4, 5, 6]],
    ['--ip-version none', []],
    ['--port 1', [1, 40_000]],
    ['--from-port 1', [40_000]],
    ['--to-port 1 --to-port 2', [1, 2]],
    ['--protocol udp', [2, 3]],
    ['--protocol TCP --protocol sctp', [1, 40_000, 4, 5, 6]],
    ['--tcp-flags syn', [1, 40_000, 5, 6]],
    ['--tcp-flags SYN,ACK', [40_000]],
    ['--traffic-direction ingress', []],
    ['--traffic-direction egress --port 1', [1, 40_000]],
    ['--node-name n1', [1, 40_000, 2, 3, 4, 5, 6]],
    ['--node-name n*', [1, 40_000, 2, 3, 4, 5, 6]],
    ['--node-name *2', []],
    ['--interface node/n1:*', [40_000, 6]],
    ['--interface pod/shop/api', [3, 4]],
    // Different flags must all match, and either end may be the one that matches.
    ['--pod data/db --port 40000', [1, 40_000, 3, 5]],
    ['--pod shop/web --verdict DROPPED', [5]],
    // What matches all of the negated flags is hidden.
    ['--not --pod shop/web', [3, 4]],
    ['--not --protocol udp --not --protocol sctp', [1, 40_000, 5, 6]],
    ['--not --protocol udp --not --to-port 2', [1, 40_000, 3, 4, 5, 6]],
    ['--pod shop/web --not --verdict DROPPED', [1, 40_000, 2, 6]],
    ['--not -n data --protocol tcp', [6]],
  ] as const) {
    test(words === '' ? 'everything' : words, () =>
      expect(passing(...words.split(' ').filter(Boolean))).toEqual(ports),
    );
  }
});

describe('what is refused', () => {
  for (const [words, message] of [
    ['--verdict AUDIT', '--verdict takes FORWARDED or DROPPED: there are no other verdicts here, found "AUDIT"'],
    ['--drop-reason-desc POLICY_DENIED', '--drop-reason-desc takes a reason of docs/DROPS.md'],
    ['--type l7', '--type takes drop, trace, or trace:'],
    ['--protocol dns', 'flows end at layer 4 here, found "dns"'],
    ['--protocol constructor', 'flows end at layer 4 here'],
    ['--tcp-flags SYN,X', '--tcp-flags takes flags such as SYN,ACK, found "SYN,X"'],
    ['--ip 10.0.0', '--ip takes an address such as'],
    ['--ip 10.0.0.0/33', '--ip takes an address such as'],
    ['--port http', '--port takes a number up to 65535, found "http"'],
    ['--to-port 65536', '--to-port takes a number up to 65535'],
    ['--pod a/b/c', '--pod takes [NAMESPACE/]NAME'],
    ['--pod shop/web -n data', '--pod takes a pod of namespace data, which -n asks for, found "shop/web"'],
    ['--traffic-direction up', '--traffic-direction takes ingress or egress'],
    ['--ip-version 5', '--ip-version takes v4, v6 or none'],
    ['--not', '--not with no filter behind it'],
    ['--not --not --port 1', '--not twice'],
    ['--service a', '--service: flows name pods, not services; use --ip or --port'],
    ['--to-fqdn=x', '--to-fqdn: flows know no DNS names; use --ip'],
    ['-l app=web', '-l: no filter here; use --pod with the beginning of a name'],
    ['--http-status 404', '--http-status: flows end at layer 4 here'],
    ['--server x', '--server: flows come from the running cluster itself'],
    ['--colour always', "Unknown option '--colour'"],
    ['--color blue', '--color takes auto, always or never'],
    ['-o yaml', '-o takes compact, dict, table, json or jsonl, found "yaml"'],
    ['-f -o table', '-o table needs an end, which -f has not'],
    ['-f -o json', '-o json needs an end, which -f has not'],
    ['--last 5 --all', '--last, --first and --all exclude each other'],
    ['-f --first 5', '-f has no end, and --first asks for one'],
    ['-f --until 5m', '-f has no end, and --until asks for one'],
    ['--since yesterday', '--since takes a time such as'],
    ['--since 2026-13-01T00:00:00Z', '--since takes a time such as 5m or 2026-11-20T10:00:00Z'],
    ['--last x', '--last takes a whole number'],
  ] as const) {
    test(words, () => {
      expect(() => readObserve(words.split(' '), NOW_MS, false)).toThrow(message);
    });
  }
});

describe('which events, by time and number', () => {
  const second = 1_000_000_000n;
  const nowNs = BigInt(NOW_MS) * 1_000_000n;
  const all = { follow: false, lastMs: 0x7fff_ffff, sinceNs: 0n, untilNs: undefined, end: 'last' };
  for (const [words, expected] of [
    ['', { ...all, count: 20 }],
    ['--last 3', { ...all, count: 3 }],
    ['--last 0', { ...all, count: 0, lastMs: 0 }],
    ['--first 3', { ...all, count: 3, end: 'first' }],
    ['--all', { ...all, count: Infinity }],
    ['--since 5m', { ...all, count: Infinity, lastMs: 300_000, sinceNs: nowNs - 300n * second }],
    ['--since 2026-11-20T09:59:59.5Z --last 1', { ...all, count: 1, lastMs: 500, sinceNs: nowNs - second / 2n }],
    ['--until 1s', { ...all, count: Infinity, untilNs: nowNs - second }],
    ['-f', { ...all, follow: true, count: 0, lastMs: 0 }],
    ['-f --last 7', { ...all, follow: true, count: 7 }],
    ['-f --since 1s', { ...all, follow: true, count: Infinity, lastMs: 1000, sinceNs: nowNs - second }],
  ] as const) {
    test(words === '' ? 'by default' : words, () => {
      expect(readObserve(words.split(' ').filter(Boolean), NOW_MS, false).span).toEqual(expected);
    });
  }
});

test('nodes need tell of drops only when nothing else is asked for', () => {
  const only = (...argv: string[]) => readObserve(argv, NOW_MS, false).onlyDrops;
  expect(only('--verdict', 'DROPPED', '--port', '80')).toBe(true);
  expect(only('--verdict', 'DROPPED', '--verdict', 'FORWARDED')).toBe(false);
  expect(only('--not', '--verdict', 'DROPPED')).toBe(false);
  expect(only()).toBe(false);
  expect(wantsOnlyDrops([{ name: 'verdict', value: 'dropped', not: false }])).toBe(true);
});

test('words that are no flags are a filter expression', () => {
  expect(readObserve(['-f', 'not', 'tcp', 'port', '80'], NOW_MS, false).expression).toBe('not tcp port 80');
});

test('colour: on a terminal, if wanted, and never in columns', () => {
  const colour = (terminal: boolean, ...argv: string[]) => readObserve(argv, NOW_MS, terminal).text.colour;
  expect([colour(true), colour(false), colour(false, '--color', 'always')]).toEqual([true, false, true]);
  expect([colour(true, '--color', 'never'), colour(true, '-o', 'table')]).toEqual([false, false]);
});

test('a filter that does not exist is a bug that shows', () => {
  expect(() => flowFilter([{ name: 'no-such', value: '', not: false }])).toThrow('--no-such: no filter');
});
