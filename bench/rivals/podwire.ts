/** podwire itself, from `dist/`, as one contender among the others. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Laboratory, namespaceOf } from './laboratory.ts';
import { layPodwireWire } from './podwire-wire.ts';
import { type Contender, POD_MTU, type Rival, WIRE_MTU } from './rival.ts';

interface PodwireOptions {
  readonly underlay: 'tap' | 'udp';
  /** As in `up --offload`. */
  readonly offload?: string;
  /** Techniques to leave out, as in `up --without`. */
  readonly without?: readonly string[];
  /** The server behind a ClusterIP Service, with a policy that admits the client. */
  readonly throughService?: boolean;
}

const NAME = 'bench';
const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const plainPods = fileURLToPath(new URL('../../examples/two-pods', import.meta.url));
const podsBehindService = fileURLToPath(new URL('through-service.yaml', import.meta.url));

/** Words after `podwire` that start the cluster. */
export function upWords({ underlay, offload, without = [], throughService = false }: PodwireOptions): string[] {
  const words = ['up', throughService ? podsBehindService : plainPods, '-d', '--name', NAME];
  words.push('--underlay', underlay, '--mtu', String(WIRE_MTU));
  if (offload !== undefined) words.push('--offload', offload);
  if (without.length > 0) words.push('--without', without.join(','));
  return words;
}

function nameOf({ underlay, offload, without = [], throughService = false }: PodwireOptions): string {
  const parts = [
    'podwire',
    underlay === 'udp' ? 'UDP sockets' : '',
    throughService ? 'Service and policy' : '',
    offload === 'off' ? 'offload off' : '',
    without.length > 0 ? `without ${without.join(', ')}` : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** A process and all that it has started, as /proc has them now. */
function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return [pid, ...(children === '' ? [] : children.split(' ')).flatMap((child) => descendants(Number(child)))];
}

async function start(laboratory: Laboratory, options: PodwireOptions): Promise<Rival> {
  const homeDirectory = join(laboratory.directory, 'home');
  const home = `PODWIRE_HOME=${homeDirectory}`;
  const run = (...words: string[]) => {
    const locked = ['--close', join(laboratory.directory, 'lock'), 'env', home, process.execPath, cli, ...words];
    return execFileSync('flock', locked, { encoding: 'utf8', stdio: 'pipe' });
  };
  run(...upWords(options));
  const json = (kind: string) => JSON.parse(run('get', kind, 'server', '-o', 'json', '--name', NAME));
  const { vessel } = JSON.parse(readFileSync(join(homeDirectory, NAME, 'state.json'), 'utf8'));
  const inPod = (pod: string) => ['env', home, process.execPath, cli, 'exec', '--name', NAME, '-i', pod, '--'];
  const wire = options.underlay === 'tap' ? await layPodwireWire(laboratory, namespaceOf(vessel.pid)) : undefined;
  return {
    client: inPod('client'),
    server: inPod('server'),
    serverAddress: json('pod').status.podIP,
    ...(options.throughService ? { serviceAddress: json('service').spec.clusterIP } : {}),
    daemons: descendants(vessel.pid),
    setWire: (state) => wire?.set(state),
    traffic: () => wire?.traffic() ?? { packets: 0, bytes: 0 },
    end: () => laboratory.end(),
  };
}

export function podwire(options: PodwireOptions): Contender {
  return {
    name: nameOf(options),
    mtu: POD_MTU,
    encrypts: false,
    note: options.underlay === 'udp' ? 'both nodes have their sockets in one namespace: loopback is the wire' : '',
    wires: options.underlay === 'udp' ? ['superframe'] : ['superframe', 'mtu'],
    needs: [['ethtool', 'ethtool']],
    // The cluster is not a child of this process: whoever removes the directory ends it first, and when this process is killed
    // while it brings the cluster up, waits for that before.
    start: () => {
      const script = 'PODWIRE_HOME="$DIRECTORY/home" flock "$DIRECTORY/lock" "$0" "$1" down --all';
      const down = ['sh', '-c', script, process.execPath, cli];
      return Laboratory.build((laboratory) => start(laboratory, options), down);
    },
  };
}
