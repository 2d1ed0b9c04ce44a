/**
 * Question: how much of the kernel's own VXLAN throughput does one TCP stream get through podwire, pod to pod on two
 * nodes, at pod MTU 1450, and what does a gigabyte cost in CPU? With superframes crossing the underlay whole, as the
 * kernel's do, and with UDP sockets, where each is cut into datagrams with checksums of their own.
 *
 * All run in this process's turn, interleaved, the same iperf3 with the same arguments. As root, with iperf3.
 *
 *     npm run bench:stream -- [--rounds 10] [--seconds 5] [--out FILE]
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { kernelVxlan, type Rival } from './kernel-vxlan.ts';

const MTU = 1450;
const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '5' },
    out: { type: 'string' },
    offload: { type: 'string', default: 'on' },
    /** TCP congestion control of the sender; the system's default when left out. */
    congestion: { type: 'string' },
  },
});
const congestion = values.congestion === undefined ? [] : ['-C', values.congestion];
const podwire = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'pw-bench-'));
const env = { ...process.env, PODWIRE_HOME: home };

function ours(underlay: 'tap' | 'udp'): Rival {
  const example = fileURLToPath(new URL('../examples/two-pods', import.meta.url));
  const cli = (...words: string[]) =>
    execFileSync(process.execPath, [podwire, ...words], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const sizes = ['--mtu', String(MTU + 50), '--offload', values.offload];
  cli('up', example, '-d', '--name', underlay, '--underlay', underlay, ...sizes);
  const server = JSON.parse(cli('get', 'pod', 'server', '-o', 'json', '--name', underlay)) as {
    status: { podIP: string };
  };
  const inPod = (pod: string) => [process.execPath, podwire, 'exec', '--name', underlay, pod, '--'];
  return {
    client: inPod('client'),
    server: inPod('server'),
    serverAddress: server.status.podIP,
    end: () => void cli('down', '--name', underlay),
  };
}

interface Round {
  readonly gbitPerSecond: number;
  /** Busy core-seconds of the whole machine per gigabyte. */
  readonly cpuSecondsPerGigabyte: number;
}

/** Core-seconds that the machine has spent on anything but idling. */
function busySeconds(): number {
  const fields = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.trim().split(/\s+/).slice(1).map(Number);
  const [user, nice, system, , , irq, softirq] = fields;
  return (user! + nice! + system! + irq! + softirq!) / 100;
}

async function measure(rival: Rival): Promise<Round> {
  const server = spawn(rival.server[0]!, [...rival.server.slice(1), 'iperf3', '-s', '-1', '-J'], {
    env,
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => server.on('exit', resolve));
  await new Promise((resolve) => setTimeout(resolve, 700));
  const before = busySeconds();
  const [program, ...words] = [
    ...rival.client,
    'iperf3',
    '-c',
    rival.serverAddress,
    '-t',
    values.seconds,
    '-J',
    ...congestion,
  ];
  const report = JSON.parse(execFileSync(program!, words, { env, encoding: 'utf8', maxBuffer: 64 << 20 })) as {
    end: { sum_received: { bits_per_second: number; bytes: number } };
  };
  const busy = busySeconds() - before;
  await ended;
  const { bits_per_second: bits, bytes } = report.end.sum_received;
  return { gbitPerSecond: bits / 1e9, cpuSecondsPerGigabyte: busy / (bytes / 1e9) };
}

/** What both senders use: network namespaces begin with the system's default. */
function congestionControl(): string {
  return values.congestion ?? readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim();
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function row(name: string, rounds: readonly Round[]): string {
  const rates = rounds.map((round) => round.gbitPerSecond);
  const costs = rounds.map((round) => round.cpuSecondsPerGigabyte);
  const spread = `${Math.min(...rates).toFixed(2)} – ${Math.max(...rates).toFixed(2)}`;
  return `| ${name} | ${median(rates).toFixed(2)} | ${spread} | ${median(costs).toFixed(2)} |`;
}

const contenders = { 'kernel VXLAN': kernelVxlan(MTU), podwire: ours('tap'), 'podwire, UDP sockets': ours('udp') };
const names = Object.keys(contenders) as (keyof typeof contenders)[];
const results = new Map<string, Round[]>(names.map((name) => [name, []]));
try {
  for (let round = 0; round <= Number(values.rounds); round++) {
    for (const name of names) {
      const result = await measure(contenders[name]);
      if (round > 0) results.get(name)!.push(result); // the first warms up
      const { gbitPerSecond, cpuSecondsPerGigabyte } = result;
      console.error(
        `round ${round} ${name}: ${gbitPerSecond.toFixed(2)} Gbit/s, ${cpuSecondsPerGigabyte.toFixed(2)} CPU-s/GB`,
      );
    }
  }
} finally {
  for (const contender of Object.values(contenders)) contender.end();
  rmSync(home, { recursive: true, force: true });
}

/** Round by round, so that a machine that changes its pace changes both. */
function ratio(name: string): string {
  const kernel = results.get('kernel VXLAN')!;
  const ratios = results.get(name)!.map((round, i) => round.gbitPerSecond / kernel[i]!.gbitPerSecond);
  const spread = `${Math.min(...ratios).toFixed(2)} – ${Math.max(...ratios).toFixed(2)}`;
  return `**${name} ÷ kernel, round by round: median ${median(ratios).toFixed(2)}** (${spread})`;
}
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
const text = `# One TCP stream, pod to pod on two nodes

Method: iperf3, one stream, ${values.seconds} s, pod MTU ${MTU}, offload ${values.offload},
congestion control ${congestionControl()}, ${values.rounds} interleaved rounds after one to warm up; CPU is busy
core-seconds of the whole machine per gigabyte. Kernel: VXLAN device and bridge on two namespaces joined by a veth.

${new Date().toISOString().slice(0, 10)}, commit ${commit}, ${cpus().length} × ${cpus()[0]?.model}, Linux ${release()}, Node ${process.versions.node}

| | Gbit/s, median | min – max | CPU-s per GB |
| --- | --- | --- | --- |
${names.map((name) => row(name, results.get(name)!)).join('\n')}

${names.slice(1).map(ratio).join('\n\n')}

Raw: \`${JSON.stringify(Object.fromEntries(results))}\`
`;
console.log(text);
if (values.out !== undefined) writeFileSync(values.out, text);
