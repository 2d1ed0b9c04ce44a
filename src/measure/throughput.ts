/** One TCP stream between pods: by iperf3 where this machine has it, else by the meter. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Refusal } from '../vessel/refusal.ts';
import { NothingArrives, silence } from './latency.ts';
import type { MachineUse } from './machine-use.ts';
import type { PodProgram } from './pod-program.ts';
import { readProcessTimes } from './proc-stat.ts';
import { type PodRun, type RunUse, RunWatch } from './run-watch.ts';

export interface StreamInterval {
  readonly fromSeconds: number;
  readonly toSeconds: number;
  readonly bytes: number;
}

export interface StreamResult {
  /** As the receiver has counted. */
  readonly bytes: number;
  readonly seconds: number;
  /** Where the tool tells. */
  readonly retransmits: number | undefined;
  readonly intervals: readonly StreamInterval[];
  readonly use: RunUse;
}

export interface StreamRun extends PodRun {
  /** Is told of each interval as it ends. */
  readonly onInterval: (interval: StreamInterval, machine: MachineUse) => void;
}

const STARTUP_MS = 5000;

/** By iperf3; its server is running. @throws Refusal */
export async function iperfStream(run: StreamRun): Promise<StreamResult> {
  const { programs, address, port, seconds } = run;
  const flags = ['-c', address, '-p', String(port), '-t', String(seconds), '-i', '1', '-f', 'k', '--forceflush'];
  const command = ['iperf3', ...flags, '--connect-timeout', String(STARTUP_MS)];
  let childrenBefore = 0;
  const watching = await RunWatch.begin(run, () => {
    childrenBefore = childrenSeconds();
    return programs.start('client (iperf3)', run.client, command);
  });
  const { client } = watching;
  const intervals: StreamInterval[] = [];
  let received: IperfLine | undefined;
  let sent: IperfLine | undefined;
  for (let line = await client.line(); line !== undefined; line = await client.line()) {
    const parsed = parseIperfLine(line);
    if (parsed?.end === 'receiver') received = parsed;
    else if (parsed?.end === 'sender') sent = parsed;
    else if (parsed !== undefined && isLater(parsed, intervals.at(-1))) {
      intervals.push(parsed);
      run.onInterval(parsed, watching.lap());
    }
  }
  const code = await client.exited;
  const use = await watching.end(childrenSeconds() - childrenBefore);
  if (code !== 0 || received === undefined) throw iperfFailure(client, address, port);
  const { bytes, toSeconds } = received;
  return { bytes, seconds: toSeconds, retransmits: sent?.retransmits, intervals, use };
}

/** By the meter; its server is running. @throws Refusal */
export async function meterStream(run: StreamRun): Promise<StreamResult> {
  const { programs, servers, address, port, seconds } = run;
  const client = programs.meter('client (meter)', run.client, ['stream', '--to', address, '--port', String(port)]);
  await client.ready();
  const watching = await RunWatch.begin(run, () => client);
  const intervals: StreamInterval[] = [];
  let at = 0;
  let answer = await client.order<StreamAnswer>({ seconds, interval: 1 }).catch((error: Error) => {
    throw error.message.includes('does not answer') ? silence(run, 'TCP') : error;
  });
  for (; answer.interval !== undefined; answer = await client.answer<StreamAnswer>()) {
    const { bytes, seconds: took } = answer.interval;
    const interval = { fromSeconds: at, toSeconds: at + took, bytes };
    at += took;
    intervals.push(interval);
    run.onInterval(interval, watching.lap());
  }
  const counted = await Promise.race(servers.map((server) => server.answer<{ bytes: number; seconds: number }>()));
  const use = await watching.end();
  return { ...counted, retransmits: undefined, intervals, use };
}

/** When it is stopped or loses its server, iperf3 writes its last interval once more. */
export function isLater(interval: StreamInterval, last: StreamInterval | undefined): boolean {
  return interval.toSeconds > (last?.toSeconds ?? 0) && interval.fromSeconds >= (last?.toSeconds ?? 0);
}

interface StreamAnswer {
  readonly interval?: { readonly bytes: number; readonly seconds: number };
}

interface IperfLine extends StreamInterval {
  /** Of the summary. */
  readonly end: 'sender' | 'receiver' | undefined;
  readonly retransmits: number | undefined;
}

/** `[  5]   0.00-1.00   sec  1.45 GBytes  12467123 Kbits/sec    0   3.10 MBytes`: of `-f k`. Undefined: another line. */
export function parseIperfLine(line: string): IperfLine | undefined {
  const [, from, to, rate, rest = ''] =
    /^\[ *\d+\] +([\d.]+)-([\d.]+) +sec +[\d.]+ \w+ +([\d.]+) Kbits\/sec(.*)$/.exec(line) ?? [];
  if (rate === undefined) return undefined;
  const [fromSeconds, toSeconds] = [Number(from), Number(to)];
  const [, retransmits, end] = /^ *(\d+)?.*?(sender|receiver)?\s*$/.exec(rest) ?? [];
  return {
    fromSeconds,
    toSeconds,
    bytes: Math.round((Number(rate) * 1000 * (toSeconds - fromSeconds)) / 8),
    end: end as 'sender' | 'receiver' | undefined,
    retransmits: retransmits === undefined ? undefined : Number(retransmits),
  };
}

/** iperf3 says on one line what is wrong; a policy or a broken path shows as silence. */
function iperfFailure(client: PodProgram, address: string, port: number): Refusal {
  const said = client.stderr.trim().replace(/^iperf3: (error - )?/, '') || 'it ended without a result';
  if (/timed out/i.test(said)) return new NothingArrives(address, port, 'TCP');
  return new Refusal(`iperf3 to ${address} port ${port}: ${said}`);
}

/** CPU seconds of this process' children that have ended. */
function childrenSeconds(): number {
  return readProcessTimes(process.pid)?.children ?? 0;
}

/** An iperf3 server is ready when it says so. @returns false when the port is taken. */
export async function iperfIsReady(server: PodProgram): Promise<boolean> {
  const late = sleep(STARTUP_MS, 'late' as const, { ref: false });
  for (;;) {
    const line = await Promise.race([server.line(), late]);
    if (line === 'late') throw new Refusal(`${server.name} says nothing`);
    if (line === undefined) return false;
    if (line.startsWith('Server listening')) return true;
  }
}
