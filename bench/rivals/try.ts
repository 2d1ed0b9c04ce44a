/**
 * Question: does every contender that is installed here work, on every wire that it can have, and does it go without a trace,
 * also when whoever started it is killed? One second of TCP each; not a benchmark.
 Usage: --help.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { commandLine } from '../command-line.ts';
import { requireBuild, requireRoot } from '../requirements.ts';
import { rivals } from './contenders.ts';
import { markChildren, presence } from './leftovers.ts';
import { podwire } from './podwire.ts';
import { type Contender, missingWords, type Rival, SERVICE_PORTS, WIRE_MTU } from './rival.ts';
import { judgeWire, trafficSince, type Wire } from './wire.ts';

const contenders: readonly Contender[] = [
  ...rivals,
  podwire({ underlay: 'tap' }),
  podwire({ underlay: 'tap', throughService: true }),
  podwire({ underlay: 'udp' }),
];
/** What this script itself runs in pods. */
const OWN_NEEDS = [
  ['iperf3', 'iperf3'],
  ['ping', 'iputils-ping'],
] as const;
/** How long what was killed may take to go. */
const GONE_MS = 10_000;

/** @returns bytes that arrived within a second. */
async function transfer({ client, server, serverAddress, serviceAddress }: Rival): Promise<number> {
  const port = ['-p', String(SERVICE_PORTS[0])];
  const [program, ...words] = [...server, 'iperf3', '-s', '-1', '--forceflush', ...port];
  const listener = spawn(program!, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(listener, 'exit');
  for await (const text of listener.stdout!.iterator({ destroyOnReturn: false })) {
    if (String(text).includes('listening')) break;
  }
  listener.stdout!.resume();
  try {
    const [start, ...rest] = [...client, 'iperf3', '-c', serviceAddress ?? serverAddress, '-t', '1', '-J', ...port];
    const report = JSON.parse(execFileSync(start!, rest, { encoding: 'utf8', stdio: 'pipe', timeout: 20_000 }));
    await ended;
    return report.end.sum_received.bytes;
  } finally {
    listener.kill();
  }
}

function answersPing({ client, serverAddress }: Rival): boolean {
  const [program, ...words] = [...client, 'ping', '-c', '1', '-W', '1', serverAddress];
  try {
    execFileSync(program!, words, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function tryWire(rival: Rival, wire: Wire): Promise<string> {
  rival.setWire(wire);
  const before = rival.traffic();
  const bytes = await transfer(rival);
  const sent = trafficSince(before, rival.traffic());
  const rate = `${((8 * bytes) / 1e9).toFixed(2).padStart(6)} Gbit/s`;
  if (sent.packets === 0) return `${rate}, no wire to look at`;
  const { averageBytes, wire: found } = judgeWire(sent, bytes, WIRE_MTU);
  if (wire === 'mtu' && found !== 'mtu') throw new Error(`${averageBytes} bytes a packet on a wire of MTU ${WIRE_MTU}`);
  return `${rate}, ${averageBytes.toFixed(0).padStart(5)} bytes a packet on the wire`;
}

/** @returns milliseconds that it took to be up. */
async function tryContender(contender: Contender): Promise<number> {
  const before = presence();
  const startMs = performance.now();
  const rival = await contender.start();
  const tookMs = performance.now() - startMs;
  const name = contender.name.padEnd(28);
  try {
    console.log(
      `${name} up in ${(tookMs / 1000).toFixed(1)} s, ${rival.daemons.length} daemons${contender.encrypts ? ', encrypts' : ''}`,
    );
    // A policy lets the Service's ports through and nothing else; so a ping shows whether it is in force.
    if (answersPing(rival) === (rival.serviceAddress !== undefined)) throw new Error('ping: not as the policy says');
    for (const wire of contender.wires) {
      console.log(`${name} ${wire.padEnd(10)} ${await tryWire(rival, wire)}`);
    }
  } finally {
    await rival.end();
  }
  refuseLeftovers(before, 'after its end');
  return tookMs;
}

/** Starts it in a process that is killed without warning: when it is up, or before. */
async function tryKilling(contender: Contender, afterMs: number | undefined): Promise<void> {
  const before = presence();
  const self = fileURLToPath(import.meta.url);
  const words = [...process.execArgv, self, '--hold', contender.name];
  const holder = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface(holder.stdout!)[Symbol.asyncIterator]();
  for (const word of ['starting', 'up']) {
    const { value } = await lines.next();
    if (value !== word) throw new Error(`found "${value}" where "${word}" was expected`);
    if (afterMs !== undefined) break;
  }
  await sleep(afterMs ?? 0);
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const deadline = performance.now() + GONE_MS;
  while (leftovers(before).length > 0 && performance.now() < deadline) await sleep(50);
  refuseLeftovers(before, afterMs === undefined ? 'after SIGKILL' : `after SIGKILL ${afterMs} ms into its start`);
}

function leftovers(before: ReadonlySet<string>): string[] {
  return [...presence()].filter((thing) => !before.has(thing));
}

function refuseLeftovers(before: ReadonlySet<string>, when: string): void {
  const left = leftovers(before);
  if (left.length > 0) throw new Error(`left ${when}: ${left.join('; ')}`);
}

async function tryAll(names: readonly string[]): Promise<void> {
  for (const contender of contenders.filter(({ name }) => names.length === 0 || names.includes(name))) {
    const missing = missingWords([...contender.needs, ...OWN_NEEDS]);
    if (missing !== undefined) {
      console.log(`${contender.name.padEnd(28)} ${missing}`);
      continue;
    }
    try {
      const startMs = await tryContender(contender);
      await tryKilling(contender, undefined);
      await tryKilling(contender, Math.round(startMs / 2));
      console.log(`${contender.name.padEnd(28)} nothing left, after its end and after two SIGKILLs`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`${contender.name.padEnd(28)} FAILED: ${(error as Error).message}`);
    }
  }
}

const usage = `Usage: npm run bench:rivals -- [NAME...]

Whether each contender of bench:peers that is installed here works on every wire that it can have, and leaves nothing
behind, also when it is killed. Some 10 s for each; needs root and npm run build. No benchmark.

  NAME  only these, of:
        ${contenders.map(({ name }) => JSON.stringify(name)).join('\n        ')}
`;

const { hold, names } = commandLine(usage, (args) => {
  const { values, positionals } = parseArgs({ args, options: { hold: { type: 'boolean' } }, allowPositionals: true });
  const stranger = positionals.find((word) => !contenders.some(({ name }) => name === word));
  if (stranger !== undefined) throw new Error(`there is no contender "${stranger}"`);
  return { hold: values.hold === true, names: positionals };
});
if (hold) {
  console.log('starting');
  await contenders.find(({ name }) => name === names[0])!.start();
  console.log('up');
} else {
  requireRoot();
  requireBuild();
  markChildren();
  await tryAll(names);
}
