/** Flow records for people and programs, in the formats of `hubble observe` (cilium hubble/pkg/printer). */
import { withPort } from '../capture/packet-line.ts';
import { deniedWords } from '../network-policy/explain.ts';
import type { FlowEndpoint } from './flow-names.ts';
import type { FlowRecord } from './flow-record.ts';

export interface TextOptions {
  /** Show which node tells. */
  readonly nodeName: boolean;
  /** Addresses instead of names. */
  readonly numeric: boolean;
  readonly colour: boolean;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const Colour = { red: 31, green: 32, cyan: 36 } as const;

/** Control characters, and those that turn the direction of writing. */
const UNSAFE = /[\p{Cc}\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** The text with what could steer a terminal written out: `\u001b`. */
export function harmless(text: string): string {
  return text.replaceAll(UNSAFE, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** `Nov 20 10:00:00.000: shop/web:34567 -> shop/db:5432 to-overlay FORWARDED (TCP Flags: SYN)`, and why not if not. */
export function compactLine(record: FlowRecord, options: TextOptions): string {
  const { is_reply: isReply } = record;
  const means = meaningOf(record);
  const node = options.nodeName ? ` [${harmless(record.node_name)}]` : '';
  const ends = [hostOf(record, 'source', options), hostOf(record, 'destination', options)];
  const arrow = isReply === undefined ? '<>' : isReply ? '<-' : '->';
  const [left, right] = isReply === true ? ends.reverse() : ends;
  const why = record.verdict === 'DROPPED' && means !== undefined ? `: ${means}` : '';
  const what = `${typeOf(record)} ${verdictText(record, options)} (${record.Summary})${why}`;
  return `${timeText(record)}${node}: ${left} ${arrow} ${right} ${what}`;
}

/** Titles and values, in the order of hubble's columns. */
export function flowCells(record: FlowRecord, options: TextOptions): [title: string, value: string][] {
  return [
    ['TIMESTAMP', timeText(record)],
    ...(options.nodeName ? [['NODE', harmless(record.node_name)] satisfies [string, string]] : []),
    ['SOURCE', hostOf(record, 'source', options)],
    ['DESTINATION', hostOf(record, 'destination', options)],
    ['TYPE', typeOf(record)],
    ['VERDICT', verdictText(record, options)],
    ['SUMMARY', record.Summary],
  ];
}

/** A block of lines, each with an end. */
export function dictBlock(record: FlowRecord, options: TextOptions): string {
  const { stage, look } = record;
  const why = Object.entries({ REASON: meaningOf(record), STAGE: stage, LOOK: look }).flatMap(([title, value]) =>
    value === undefined ? [] : [[title, value] as const],
  );
  const rows = [...flowCells(record, options), ...why];
  return rows.map(([title, value]) => `${title.padStart(DICT_WIDTH)}: ${value}\n`).join('');
}

export const DICT_SEPARATOR = '------------\n';
const DICT_WIDTH = 'DESTINATION'.length;

/** As an answer of hubble's observer API (cilium api/v1/observer/observer.proto, GetFlowsResponse). */
export interface FlowEvent {
  readonly flow: FlowRecord;
  readonly node_name: string;
  readonly time: string;
}

export function flowEvent(flow: FlowRecord): FlowEvent {
  return { flow, node_name: flow.node_name, time: flow.time };
}

/** JSON whose strings can do a terminal no harm either. */
export function harmlessJson(value: unknown, space?: number): string {
  // Line ends between values are JSON's own; within strings they are escaped already.
  return JSON.stringify(value, undefined, space).split('\n').map(harmless).join('\n');
}

/** UTC, as hubble has it. */
function timeText({ time }: FlowRecord): string {
  const day = String(Number(time.slice(8, 10))).padStart(2);
  return `${months[Number(time.slice(5, 7)) - 1]} ${day} ${time.slice(11, 23)}`;
}

function meaningOf({ explanation, means }: FlowRecord): string | undefined {
  return explanation === undefined ? means : deniedWords(explanation);
}

/** The reason of a drop, or where the packet was seen: `to-overlay`. */
function typeOf({ drop_reason_desc: reason, trace_observation_point: point }: FlowRecord): string {
  return reason ?? point?.toLowerCase().replace('_', '-') ?? '';
}

function verdictText({ verdict }: FlowRecord, { colour }: TextOptions): string {
  return painted(verdict, verdict === 'DROPPED' ? Colour.red : Colour.green, colour);
}

function hostOf(record: FlowRecord, end: 'source' | 'destination', options: TextOptions): string {
  const { IP, ethernet, l4 } = record;
  if (IP === undefined) return painted(ethernet?.[end] ?? '?', Colour.cyan, options.colour);
  const ports = l4?.TCP ?? l4?.UDP ?? l4?.SCTP;
  const name = options.numeric ? undefined : nameOf(record[end], record[`${end}_names`]);
  const claimed = end === 'source' && name !== undefined && record.spoofed_source !== undefined;
  const host = claimed ? `${name}(${record.spoofed_source})` : (name ?? IP[end]);
  const port = ports?.[`${end}_port`] ?? 0;
  return painted(harmless(port === 0 ? host : withPort(host, port)), Colour.cyan, options.colour);
}

function nameOf({ namespace, pod_name: pod }: FlowEndpoint, names: readonly string[] = []): string | undefined {
  if (pod !== undefined) return `${namespace}/${pod}`;
  return names.length > 0 ? names.join(',') : undefined;
}

function painted(text: string, colour: number, on: boolean): string {
  return on ? `\u001b[${colour}m${text}\u001b[0m` : text;
}
