/**
 * `bench/rivals/`: what else carries packets between pods of two nodes on one machine, each brought up in the same
 * place: two node namespaces joined by a veth of MTU 1500 (the _wire_), a pod namespace behind each.
 */
import { execFileSync } from 'node:child_process';
import type { Traffic, Wire } from './wire.ts';

/** IP MTU of the wire between the nodes. */
export const WIRE_MTU = 1500;
/** IP MTU of the pods: what VXLAN over IPv4 leaves of the wire's. Who cannot have it says so in its note. */
export const POD_MTU = 1450;
/** Those of the Service, TCP and UDP, and those that the policy lets through: servers listen on these. */
export const SERVICE_PORTS: readonly number[] = [5201, 5202, 5203, 5204];

/** A way between two pods that can be measured. */
export interface Contender {
  readonly name: string;
  /** IP MTU of its pods. */
  readonly mtu: number;
  /** What it does that the others do not. */
  readonly encrypts: boolean;
  /** What else a reader of its figures must know; empty when nothing. */
  readonly note: string;
  /** What can be between its nodes. */
  readonly wires: readonly Wire[];
  /** Programs beside util-linux's and iproute2's, with the Debian package of each. */
  readonly needs: readonly Need[];
  /** As root. When it fails, nothing is left behind. */
  start(): Promise<Rival>;
}

/** A contender that runs. Whatever ends this process ends it too, SIGKILL included. */
export interface Rival {
  /** Words that run a command in the client's, in the server's pod; standard streams are inherited. */
  readonly client: readonly string[];
  readonly server: readonly string[];
  readonly serverAddress: string;
  /** Where a Service stands in front of the server: its address, on `SERVICE_PORTS`. Policy then denies pings. */
  readonly serviceAddress?: string;
  /** Its own processes in user space, for their CPU time; the kernel's work is nobody's. */
  readonly daemons: readonly number[];
  setWire(wire: Wire): void;
  /** What client's node has sent over the wire. Zero where there is none. */
  traffic(): Traffic;
  /** Leaves no namespace, process or file behind. */
  end(): Promise<void>;
}

type Need = readonly [program: string, debianPackage: string];

/** What is missing on this machine, by name, and the command that installs it; undefined when nothing is. */
export function missingWords(needs: readonly Need[]): string | undefined {
  const missing = needs.filter(([program]) => !isInstalled(program));
  if (missing.length === 0) return undefined;
  const programs = missing.map(([program]) => program).join(', ');
  const packages = [...new Set(missing.map(([, debianPackage]) => debianPackage))].join(' ');
  return `no ${programs} here: apt-get install ${packages}`;
}

function isInstalled(program: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$1"', 'sh', program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
