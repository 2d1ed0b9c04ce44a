/** Servers in pods for the time of a measurement: on the port that a Service leads to, or on a free one. */
import { Refusal } from '../vessel/refusal.ts';
import type { PodPlace, PodProgram, PodPrograms } from './pod-program.ts';
import { iperfIsReady } from './throughput.ts';

/** `iperf3`, or a role of the meter with its flags. */
export type ServerKind = 'iperf3' | readonly [role: 'echo' | 'sink' | 'stream-sink', ...flags: string[]];

export interface ServersWanted {
  readonly kind: ServerKind;
  /** Where they run, each with its own address. */
  readonly places: readonly (PodPlace & { readonly address: string })[];
  /** 0: any. */
  readonly port: number;
  /** What leads to all of them. */
  readonly service: { readonly address: string; readonly port: number; readonly words: string } | undefined;
}

export interface Servers {
  readonly programs: readonly PodProgram[];
  /** What the client is told. */
  readonly address: string;
  readonly port: number;
  /** `Service shop/web, port 80`, `pod shop/web-1 on n1`. */
  readonly words: string;
}

/** iperf3 cannot be told to choose a port itself: some are tried. */
const PORT_FIRST = 20_000;
const PORTS = 10_000;
const ATTEMPTS = 8;

/** @throws Refusal when there is no port to listen on. */
export async function startServers(programs: PodPrograms, wanted: ServersWanted): Promise<Servers> {
  const { kind, places, port, service } = wanted;
  const [first] = places;
  if (port !== 0) {
    const started = await Promise.all(places.map((place) => startOne(programs, kind, place, port)));
    const ready = started.flatMap((server) => server ?? []);
    if (ready.length === places.length) {
      const { address, words } = service ?? { address: first!.address, words: `pod ${first!.words}` };
      const all = ready.map(({ program }) => program);
      return { programs: all, address, port: service?.port ?? port, words };
    }
    for (const { program } of ready) await program.end();
    throw portTaken(wanted);
  }
  for (let i = 0; i < ATTEMPTS; i++) {
    const tried = kind === 'iperf3' ? PORT_FIRST + Math.floor(Math.random() * PORTS) : 0;
    const server = await startOne(programs, kind, first!, tried);
    if (server === undefined) continue;
    return {
      programs: [server.program],
      address: first!.address,
      port: server.port,
      words: `pod ${first!.words}`,
    };
  }
  throw new Refusal(`no server could be started in pod ${first!.words}`);
}

/** What is measured through a Service is answered on its target port, or it would not be measured. */
function portTaken({ port, places, service }: ServersWanted): Refusal {
  if (service === undefined)
    return new Refusal(`port ${port} of pod ${places[0]!.words} is taken: leave the port away, or stop what has it`);
  return new Refusal(
    `${service.words} leads to port ${port}, which is taken in a pod behind it: podwire answers on every port that a ` +
      'container declares. Measure a pod of it (--to NAMESPACE/POD), or a port of the Service whose targetPort no ' +
      'container declares: {port: 5201}',
  );
}

/** Undefined when the port is taken. */
async function startOne(
  programs: PodPrograms,
  kind: ServerKind,
  place: PodPlace,
  port: number,
): Promise<{ program: PodProgram; port: number } | undefined> {
  const program =
    kind === 'iperf3'
      ? programs.start('server (iperf3)', place, ['iperf3', '-s', '-p', String(port), '--forceflush'])
      : programs.meter('server (meter)', place, [...kind, '--port', String(port)]);
  const chosen =
    kind === 'iperf3' ? ((await iperfIsReady(program)) ? port : undefined) : await meterPort(program, port);
  if (chosen !== undefined) return { program, port: chosen };
  await program.exited;
  if (/in use/i.test(program.stderr)) return undefined;
  throw program.failure();
}

/** Undefined when it has ended. */
async function meterPort(program: PodProgram, port: number): Promise<number | undefined> {
  const line = await program.line();
  return line === undefined ? undefined : ((JSON.parse(line) as { port?: number }).port ?? port);
}
