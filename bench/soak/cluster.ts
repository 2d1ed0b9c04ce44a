/** A cluster of the soak's own, by the command line as a user has it, and what can be asked about it. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ApiClient } from '../../src/api/client.ts';
import type { NodeCounters } from '../../src/nodes/protocol.ts';
import { type Footprint, footprintOf } from './footprint.ts';

export const NODES = ['n1', 'n2'] as const;

const podwire = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const programs = {
  tcp: new URL('./tcp-program.ts', import.meta.url),
  udp: new URL('./udp-program.ts', import.meta.url),
  fill: new URL('./fill-program.ts', import.meta.url),
};
const NAME = 'soak';
const API = '/apis/podwire.dev/v1';
/** Near-full tables and a busy machine make a cluster slow to answer. */
const ANSWER_MS = 30_000;

/** Two pods, and a Service in front of each. No ports are declared, so none is answered by podwire itself. */
const manifest = [
  'apiVersion: podwire.dev/v1alpha1\nkind: Cluster\nnodes: [{role: worker}, {role: worker}]\n',
  ...(['a', 'b'] as const).flatMap((pod, i) => [
    `apiVersion: v1\nkind: Pod\nmetadata: {name: ${pod}, labels: {app: ${pod}}}\n` +
      `spec: {nodeName: n${i + 1}, containers: [{name: main, image: none}]}\n`,
    `apiVersion: v1\nkind: Service\nmetadata: {name: ${pod}}\nspec:\n  selector: {app: ${pod}}\n` +
      '  ipFamilyPolicy: RequireDualStack\n  ports:\n' +
      '    - {name: stream, port: 5001}\n    - {name: datagrams, port: 5002, protocol: UDP}\n' +
      '    - {name: rows, port: 5004, protocol: UDP}\n',
  ]),
].join('---\n');

interface Addresses {
  readonly v4: string;
  readonly v6: string;
}

export class SoakCluster {
  readonly #home = realpathSync(mkdtempSync(join(tmpdir(), 'pwsoak')));
  readonly #env = { ...process.env, PODWIRE_HOME: this.#home };
  readonly #api: ApiClient;
  #ending: Promise<void> | undefined;
  readonly #programs = new Set<ChildProcess>();
  #nodePids: ReadonlyMap<string, number> = new Map();

  constructor() {
    process.env['PODWIRE_HOME'] = this.#home; // by which the client finds the cluster
    this.#api = new ApiClient(NAME, ANSWER_MS);
  }

  async up(flags: readonly string[]): Promise<void> {
    const file = this.write('soak.yaml', manifest);
    await this.cli('up', file, '-d', '--name', NAME, ...flags);
    this.#nodePids = this.#findNodes();
  }

  /** Once, however often it is called. */
  down(): Promise<void> {
    this.#ending ??= this.#down();
    return this.#ending;
  }

  async #down(): Promise<void> {
    for (const program of this.#programs) program.kill('SIGTERM');
    await this.cli('down', '--all').catch((error: unknown) => process.stderr.write(`${error}\n`));
    rmSync(this.#home, { recursive: true, force: true });
  }

  write(name: string, text: string): string {
    const path = join(this.#home, name);
    writeFileSync(path, text);
    return path;
  }

  /** A podwire command to its end. @throws with what it said, when it fails. */
  async cli(...words: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(process.execPath, [podwire, ...words], {
      env: this.#env,
      maxBuffer: 64 << 20,
    });
    return stdout;
  }

  /** A podwire command that runs; it ends with the cluster at the latest. */
  start(...words: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [podwire, ...words], { env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#programs.add(child);
    child.on('exit', () => this.#programs.delete(child));
    return child;
  }

  /** One of the programs of this folder, in a pod. */
  startProgram(pod: string, program: keyof typeof programs, ...words: readonly string[]): ChildProcess {
    const loader = import.meta.resolve('tsx');
    const command = [process.execPath, '--import', loader, fileURLToPath(programs[program])];
    return this.start('exec', pod, '--', ...command, ...words);
  }

  async podAddresses(pod: string): Promise<Addresses> {
    const { status } = JSON.parse(await this.cli('get', 'pod', pod, '-o', 'json')) as {
      status: { podIPs: { ip: string }[] };
    };
    return byFamily(status.podIPs.map(({ ip }) => ip));
  }

  async serviceAddresses(service: string): Promise<Addresses> {
    const { spec } = JSON.parse(await this.cli('get', 'svc', service, '-o', 'json')) as {
      spec: { clusterIPs: string[] };
    };
    return byFamily(spec.clusterIPs);
  }

  setLink(from: string, to: string, faults: object): Promise<unknown> {
    return this.#api.patch(`${API}/links/${from}/${to}`, faults);
  }

  async counters(): Promise<Record<string, NodeCounters>> {
    const all = NODES.map(
      async (node) => [node, await this.#api.get<NodeCounters>(`${API}/nodes/${node}/counters`)] as const,
    );
    return Object.fromEntries(await Promise.all(all));
  }

  /** Frames and datagrams that kernels have dropped for lack of room, by place: of pods, and of the network between nodes. */
  async kernelDrops(): Promise<Record<string, number>> {
    const files = ['/proc/net/dev', '/proc/net/snmp', '/proc/net/snmp6'];
    const pods = await Promise.all(['a', 'b'].map((pod) => this.cli('exec', pod, '--', 'cat', ...files)));
    const [pid] = this.#nodePids.values();
    const texts = [...pods, readFileSync(`/proc/${pid}/net/dev`, 'utf8')];
    return Object.fromEntries(texts.flatMap((text, i) => dropsIn(['a ', 'b ', ''][i]!, text)));
  }

  footprints(): Record<string, Footprint> {
    return Object.fromEntries([...this.#nodePids].map(([node, pid]) => [node, footprintOf(pid)]));
  }

  /** Node processes that are not those of the start. */
  restarted(): string[] {
    const now = this.#findNodes();
    return NODES.filter((node) => now.get(node) !== this.#nodePids.get(node));
  }

  log(): string {
    return readFileSync(join(this.#home, NAME, 'log'), 'utf8');
  }

  #findNodes(): Map<string, number> {
    const found = new Map<string, number>();
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      try {
        const words = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0');
        if (words[1]?.endsWith('/dist/nodes/main.cjs') !== true) continue;
        const environment = readFileSync(`/proc/${entry}/environ`, 'utf8').split('\0');
        if (!environment.includes(`PODWIRE_HOME=${this.#home}`)) continue;
        const node = NODES.find((name) => words.includes(name));
        if (node !== undefined) found.set(node, Number(entry));
      } catch {
        // gone between two looks
      }
    }
    return found;
  }
}

function byFamily(addresses: readonly string[]): Addresses {
  return { v4: addresses.find((one) => one.includes('.'))!, v6: addresses.find((one) => one.includes(':'))! };
}

/** In what /proc/net/dev, snmp and snmp6 say. */
function dropsIn(place: string, text: string): [string, number][] {
  // After the name: bytes packets errs drop fifo frame compressed multicast, and the same of what was sent.
  const devices = [...text.matchAll(/^\s*(\S+):((?:\s+\d+){16})$/gm)].flatMap(([, name, numbers]) => {
    const fields = numbers!.trim().split(/\s+/).map(Number);
    const drops: [string, number][] = [
      [`${place}${name} received`, fields[3]!],
      [`${place}${name} sent`, fields[11]!],
    ];
    return name === 'lo' ? [] : drops;
  });
  const [, names = '', numbers = ''] = /^Udp: (\D*)\nUdp: (.*)$/m.exec(text) ?? [];
  const udp = Number(numbers.split(' ')[names.split(' ').indexOf('RcvbufErrors')] ?? 0);
  const udp6 = Number(/^Udp6RcvbufErrors\s+(\d+)/m.exec(text)?.[1] ?? 0);
  return [...devices, [`${place}sockets`, udp + udp6]];
}
