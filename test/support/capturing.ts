/** Captures of real clusters while they run, and what Wireshark's programs say of the files. */
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { type CommandOptions, type CommandResult, kill, type Running, type TestCluster, until } from './cluster.ts';

const run = promisify(execFile);
const OUTPUT_BYTES_MAX = 1 << 28;
/** One that waits for a packet that nobody sends. */
const BEGIN_MS = 20_000;

/** Ports for random bytes: Wireshark is told so, or it would guess a protocol in some of them and call it malformed. */
export const RANDOM_TCP_PORT = 47_001;
export const RANDOM_UDP_PORT = 47_010;

/** Everything is verified; what a tunnel brings in fragments is put together first, or it would look damaged. */
const JUDGING = [
  ...['-n', '-o', 'ip.check_checksum:TRUE', '-o', 'tcp.check_checksum:TRUE', '-o', 'udp.check_checksum:TRUE'],
  ...['-o', 'ip.defragment:TRUE', '-o', 'ipv6.defragment:TRUE', '-o', 'tcp.desegment_tcp_streams:FALSE'],
  ...['-d', `tcp.port==${RANDOM_TCP_PORT},data`, '-d', `udp.port==${RANDOM_UDP_PORT},data`],
];

export class TestCapture {
  readonly running: Running;
  /** Where it goes: a file beside the cluster's. */
  readonly path: string;

  /** @param file its name; `-` for standard output. */
  constructor(cluster: TestCluster, file: string, flags: readonly string[] = [], options: CommandOptions = {}) {
    this.path = file === '-' || file.startsWith('/') ? file : `${cluster.home}/${file}`;
    this.running = cluster.podwire(['capture', '--name', cluster.name, '-w', this.path, ...flags], options);
  }

  /**
   * Resolves once the file has packets of a time when every node told of its own.
   *
   * @param cause sends something that the capture sees; called until it was seen.
   */
  async begun(cause: () => Promise<unknown>): Promise<void> {
    const running = () => {
      if (this.running.child.exitCode !== null) throw new Error(`the capture has ended: ${this.running.stderr}`);
    };
    const listening = async () => {
      running();
      return this.running.stderr.includes('listening at');
    };
    await until(listening, BEGIN_MS, () => `a capture that listens: ${this.running.stderr}`);
    const seen = async () => {
      running();
      await cause();
      return (await packetCount(this.path)) > 0;
    };
    await until(seen, BEGIN_MS, () => `packets in ${this.path}: ${this.running.stderr}`);
  }

  /** Ctrl-C, and what came of it. */
  end(signal: NodeJS.Signals = 'SIGINT'): Promise<CommandResult> {
    kill(this.running.child.pid!, signal);
    return this.running.result;
  }

  get pid(): number {
    return this.running.child.pid!;
  }
}

/** Packets in a file, by capinfos; 0 for none, and for what is no capture file yet. */
export async function packetCount(path: string): Promise<number> {
  try {
    return Number(/Number of packets: +(\d+)/.exec((await run('capinfos', ['-Mc', path])).stdout)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** What capinfos says of a file, without complaint. */
export async function capinfos(path: string): Promise<string> {
  const { stdout, stderr } = await run('capinfos', ['-M', path]);
  const complaint = stderr.replace(/^Running as user .*\n/m, '');
  if (complaint !== '') throw new Error(complaint);
  return stdout;
}

/** Fields of every packet, as tshark has them; those of inner headers behind those of outer ones, with a comma between. */
export async function fields<T extends string>(
  path: string,
  names: readonly T[],
  filter = '',
): Promise<Record<T, string>[]> {
  const rows: Record<T, string>[] = [];
  await eachRow(path, names, filter, (row) => rows.push(row));
  return rows;
}

/** The same, one row at a time. */
async function eachRow<T extends string>(
  path: string,
  names: readonly T[],
  filter: string,
  take: (row: Record<T, string>) => void,
): Promise<void> {
  const words = ['-r', path, ...JUDGING, '-T', 'fields', ...names.flatMap((name) => ['-e', name]), '-Y', filter];
  const tshark = spawn('tshark', words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaint = '';
  tshark.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint += text;
  });
  const ended = new Promise<number | null>((resolve) => tshark.on('close', resolve));
  for await (const line of createInterface({ input: tshark.stdout })) {
    const values = line.split('\t');
    take(Object.fromEntries(names.map((name, i) => [name, values[i] ?? ''])) as Record<T, string>);
  }
  const code = await ended;
  if (code !== 0) throw new Error(`tshark: exit code ${code}: ${complaint}`);
}

/** Packets that tshark calls malformed or of wrong checksum: what is wrong with each. */
export function faults(
  path: string,
): Promise<Record<'frame.number' | 'frame.interface_name' | '_ws.col.Info', string>[]> {
  const sums = ['ip', 'tcp', 'udp', 'icmp', 'icmpv6'].map((protocol) => `${protocol}.checksum.status == "Bad"`);
  return fields(
    path,
    ['frame.number', 'frame.interface_name', '_ws.col.Info'],
    ['_ws.malformed', ...sums].join(' || '),
  );
}

/** 1 is good, for headers of tunnels and inner ones; the last is empty. */
const SOUND = ['ip.checksum.status', 'tcp.checksum.status', '_ws.malformed'] as const;

/** SHA-256 of what a TCP connection carried, by hop and then by who sent it. Fails on what is missing or not sound. */
export async function streamHashes(path: string, port: number): Promise<Map<string, Map<string, string>>> {
  const pieces = new Map<string, Map<string, { at: number; bytes: Buffer }[]>>();
  const names = ['frame.interface_name', 'tcp.srcport', 'tcp.seq', 'tcp.payload', ...SOUND] as const;
  await eachRow(path, names, `tcp.port == ${port} && tcp.len > 0`, (row) => {
    const hop = getOrMake(
      pieces,
      row['frame.interface_name'],
      () => new Map<string, { at: number; bytes: Buffer }[]>(),
    );
    const sender = row['tcp.srcport'] === String(port) ? 'server' : 'client';
    const bytes = Buffer.from(row['tcp.payload'], 'hex');
    getOrMake(hop, sender, () => []).push({ at: Number(row['tcp.seq']), bytes });
  });
  return mapValues(pieces, (hop, name) => mapValues(hop, (list, sender) => hashInOrder(list, `${sender} at ${name}`)));
}

function hashInOrder(pieces: { at: number; bytes: Buffer }[], what: string): string {
  const hash = createHash('sha256');
  let next = 1; // the SYN is 0
  for (const { at, bytes } of pieces.sort((a, b) => a.at - b.at)) {
    if (at > next) throw new Error(`bytes from ${next} to ${at} of the ${what} are missing`);
    if (at + bytes.length <= next) continue; // sent again
    hash.update(bytes.subarray(next - at));
    next = at + bytes.length;
  }
  return hash.digest('hex');
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}

function mapValues<K, V, W>(map: ReadonlyMap<K, V>, change: (value: V, key: K) => W): Map<K, W> {
  return new Map([...map].map(([key, value]) => [key, change(value, key)]));
}

/** A program's exit code and what it said. */
export async function said(program: string, ...words: string[]): Promise<{ code: number; text: string }> {
  try {
    const { stdout, stderr } = await run(program, words, { maxBuffer: OUTPUT_BYTES_MAX });
    return { code: 0, text: stdout + stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, text: stdout + stderr };
  }
}
