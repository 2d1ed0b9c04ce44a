/**
 * Filters of flow records, with the flags of `hubble observe`: values of one flag are alternatives, different flags must
 * all match. What `--not` stands before hides a record when all of it matches, as hubble has it.
 *
 * Other than in hubble, a flag that names either end (`--pod`, `--ip`, `--port`) is asked by itself: `--pod a --port 80`
 * is everything between pod a and port 80 of anybody.
 */
import { dropReasons } from '../packet/outcome.ts';
import { parseAddress } from '../wire/address.ts';
import type { FlowEndpoint } from './flow-names.ts';
import type { FlowRecord } from './flow-record.ts';

/** One flag as it was given. */
export interface FilterFlag {
  readonly name: string;
  readonly value: string;
  readonly not: boolean;
}

export type FlowTest = (record: FlowRecord) => boolean;

/** A value that a flag cannot take. The message begins with the flag. */
export class FlowFilterError extends Error {
  override readonly name = 'FlowFilterError';
}

/** The test for a value; or, as text, what was expected in its place. */
type Reader = (value: string, namespaces: readonly string[]) => FlowTest | string;

type End = 'source' | 'destination';
const ENDS = ['source', 'destination'] as const;
const PORT_MAX = 65_535;
const IPV4_BITS_AT = 96;
const DEFAULT_NAMESPACE = 'default';
/** `-A`: of pods that are named without one. */
const ANY_NAMESPACE = '';

const readers: Readonly<Record<string, Reader>> = {
  verdict: readVerdict,
  'drop-reason-desc': readReason,
  type: readType,
  protocol: readProtocol,
  'tcp-flags': readTcpFlags,
  'traffic-direction': readDirection,
  'ip-version': readVersion,
  'node-name': readNodeName,
  interface: readInterface,
  ...eitherEnd('ip', readIp),
  ...eitherEnd('port', readPort),
  ...eitherEnd('pod', readPod),
  ...eitherEnd('namespace', readNamespace),
};

/** Flags that take a value. */
export const filterNames: readonly string[] = Object.keys(readers);

/** @throws FlowFilterError */
export function flowFilter(flags: readonly FilterFlag[]): FlowTest {
  const wanted = groups(flags.filter(({ not }) => !not));
  const hidden = groups(flags.filter(({ not }) => not));
  return (record) =>
    wanted.every((tests) => matches(tests, record)) &&
    (hidden.length === 0 || !hidden.every((tests) => matches(tests, record)));
}

/** Whether the flags let nothing through but drops, so that nodes need not tell of anything else. */
export function wantsOnlyDrops(flags: readonly FilterFlag[]): boolean {
  const verdicts = flags.filter(({ name, not }) => name === 'verdict' && !not);
  return verdicts.length > 0 && verdicts.every(({ value }) => value.toUpperCase() === 'DROPPED');
}

function matches(tests: readonly FlowTest[], record: FlowRecord): boolean {
  return tests.some((test) => test(record));
}

/** The tests of each flag. */
function groups(flags: readonly FilterFlag[]): FlowTest[][] {
  const namespaces = flags.filter(({ name }) => name === 'namespace').map(({ value }) => value);
  const byName = new Map<string, FlowTest[]>();
  for (const flag of flags) {
    if (flag.name === 'namespace' && namespaces.includes(ANY_NAMESPACE)) continue; // it only completes pods
    byName.set(flag.name, [...(byName.get(flag.name) ?? []), readFlag(flag, namespaces)]);
  }
  return [...byName.values()];
}

function readFlag({ name, value }: FilterFlag, namespaces: readonly string[]): FlowTest {
  const reader = readers[name];
  if (reader === undefined) throw new FlowFilterError(`--${name}: no filter`);
  const test = reader(value, namespaces);
  if (typeof test === 'string') throw new FlowFilterError(`--${name} takes ${test}, found ${JSON.stringify(value)}`);
  return test;
}

/** `--NAME` for either end, `--from-NAME`, `--to-NAME`. */
function eitherEnd(
  name: string,
  read: (value: string, ends: readonly End[], namespaces: readonly string[]) => FlowTest | string,
): Record<string, Reader> {
  return {
    [name]: (value, namespaces) => read(value, ENDS, namespaces),
    [`from-${name}`]: (value, namespaces) => read(value, ['source'], namespaces),
    [`to-${name}`]: (value, namespaces) => read(value, ['destination'], namespaces),
  };
}

function readVerdict(value: string): FlowTest | string {
  const verdict = value.toUpperCase();
  if (verdict !== 'FORWARDED' && verdict !== 'DROPPED') return 'FORWARDED or DROPPED: there are no other verdicts here';
  return (record) => record.verdict === verdict;
}

function readReason(value: string): FlowTest | string {
  const known = dropReasons.find(({ name }) => name.toLowerCase() === value.toLowerCase());
  if (known === undefined) return 'a reason of docs/DROPS.md, such as SpoofedSource';
  return (record) => record.drop_reason_desc === known.name;
}

/** hubble's `TYPE[:SUBTYPE]`. */
function readType(value: string): FlowTest | string {
  if (value === 'drop') return ({ verdict }) => verdict === 'DROPPED';
  if (value === 'trace') return ({ verdict }) => verdict === 'FORWARDED';
  const [, point] = /^trace:((?:to|from)-(?:endpoint|host|overlay|network))$/.exec(value) ?? [];
  if (point === undefined) return 'drop, trace, or trace: and to- or from- endpoint, host, overlay or network';
  const name = point.toUpperCase().replace('-', '_');
  return (record) => record.trace_observation_point === name;
}

const protocols: Readonly<Record<string, readonly ('TCP' | 'UDP' | 'SCTP' | 'ICMPv4' | 'ICMPv6')[]>> = {
  tcp: ['TCP'],
  udp: ['UDP'],
  sctp: ['SCTP'],
  icmp: ['ICMPv4', 'ICMPv6'],
  icmpv4: ['ICMPv4'],
  icmpv6: ['ICMPv6'],
};

function readProtocol(value: string): FlowTest | string {
  const names = Object.hasOwn(protocols, value.toLowerCase()) ? protocols[value.toLowerCase()] : undefined;
  if (names === undefined) return `${Object.keys(protocols).join(', ')}: flows end at layer 4 here`;
  return ({ l4 }) => l4 !== undefined && names.some((name) => l4[name] !== undefined);
}

/** All of the flags, others may be set too. */
function readTcpFlags(value: string): FlowTest | string {
  const names = value.toUpperCase().split(',');
  if (!names.every((name) => /^(FIN|SYN|RST|PSH|ACK|URG|ECE|CWR)$/.test(name))) return 'flags such as SYN,ACK';
  return ({ l4 }) => l4?.TCP !== undefined && names.every((name) => Object.hasOwn(l4.TCP!.flags, name));
}

function readDirection(value: string): FlowTest | string {
  const direction = value.toUpperCase();
  if (direction !== 'INGRESS' && direction !== 'EGRESS') return 'ingress or egress';
  return (record) => record.traffic_direction === direction;
}

function readVersion(value: string): FlowTest | string {
  const [, digit] = /^(?:ip)?v?([46])$/i.exec(value) ?? [];
  if (digit === undefined && value !== 'none') return 'v4, v6 or none';
  return ({ IP }) => (digit === undefined ? IP === undefined : IP?.ipVersion === `IPv${digit}`);
}

function readNodeName(value: string): FlowTest | string {
  const pattern = glob(value);
  return ({ node_name }) => pattern.test(node_name);
}

function readInterface(value: string): FlowTest | string {
  const pattern = glob(value);
  return (record) => pattern.test(record.interface.name);
}

/** `*` stands for any characters. */
function glob(text: string): RegExp {
  const parts = text.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('.*')}$`);
}

function readIp(value: string, ends: readonly End[]): FlowTest | string {
  const expected = 'an address such as 10.244.0.2 or a block such as 10.244.0.0/16';
  const [, address = '', bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(value) ?? [];
  const network = parseAddress(address);
  if (network === undefined) return expected;
  const ipv6 = address.includes(':');
  const length = Number(bits ?? (ipv6 ? 128 : 32));
  if (length > (ipv6 ? 128 : 32)) return expected;
  const prefix = length + (ipv6 ? 0 : IPV4_BITS_AT);
  return ({ IP }) =>
    IP !== undefined && ends.some((end) => IP[end].includes(':') === ipv6 && begins(IP[end], network, prefix));
}

/** Whether the first `bits` of an address are those of `network`. */
function begins(text: string, network: Int32Array, bits: number): boolean {
  const address = parseAddress(text);
  return (
    address?.every((word, i) => {
      const own = Math.min(32, Math.max(0, bits - 32 * i));
      return own === 0 || (word ^ network[i]!) >>> (32 - own) === 0;
    }) ?? false
  );
}

function readPort(value: string, ends: readonly End[]): FlowTest | string {
  if (!/^\d{1,5}$/.test(value) || Number(value) > PORT_MAX) return `a number up to ${PORT_MAX}`;
  const port = Number(value);
  return ({ l4 }) => {
    const ports = l4?.TCP ?? l4?.UDP ?? l4?.SCTP;
    return ports !== undefined && ends.some((end) => ports[`${end}_port`] === port);
  };
}

/** hubble's `[NAMESPACE/]PREFIX`; without a prefix all of the namespace. */
function readPod(value: string, ends: readonly End[], given: readonly string[]): FlowTest | string {
  const parts = value.split('/');
  const prefix = parts.at(-1)!;
  if (parts.length > 2 || value === '' || value === '/') return '[NAMESPACE/]NAME';
  const own = parts.length === 2 ? parts[0]! : undefined;
  if (own !== undefined && given.length > 0 && !given.includes(own) && !given.includes(ANY_NAMESPACE)) {
    return `a pod of namespace ${given.join(' or ')}, which -n asks for`;
  }
  const namespaces = own !== undefined ? [own] : given.length > 0 ? given : [DEFAULT_NAMESPACE];
  const isMeant = ({ namespace, pod_name }: FlowEndpoint) =>
    pod_name?.startsWith(prefix) === true && (namespaces.includes(namespace!) || namespaces.includes(ANY_NAMESPACE));
  return (record) => ends.some((end) => isMeant(record[end]));
}

function readNamespace(value: string, ends: readonly End[]): FlowTest | string {
  if (value === '') return 'a name';
  return (record) => ends.some((end) => record[end].namespace === value);
}
