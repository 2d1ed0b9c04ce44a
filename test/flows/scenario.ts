/**
 * The scenario language. A `.flow` file is one scenario: a world, and then what happens in it, line by line.
 *
 *     # A SYN through two nodes.
 *     cluster two-nodes
 *     pod-a >  10.244.0.2:40000 -> 10.244.1.2:80  tcp S
 *     wire  =  n1 -> n2 vni 1  [10.244.0.2:40000 -> 10.244.1.2:80 tcp S ttl 63]
 *     pod-b <  10.244.0.2:40000 -> 10.244.1.2:80  tcp S ttl 62
 *     count    n1 delivered 1
 *
 *     PLACE > FRAME                            a pod's (pod-a) or node's own (host-n1) kernel sends
 *     PLACE < FRAME                            … and receives, in this order at this place
 *     wire = FROM -> TO vni N [tos N] [FRAME]  a VXLAN packet between nodes, in this order on the whole underlay
 *     wire > FROM -> TO vni N [FRAME]          somebody sends one: a node's name or any address; `raw HEX` for any datagram
 *     drop NODE REASON [COUNT]                 packets dropped since the last of these lines
 *     count NODE WHAT N, WHAT N …              a node's counters since the scenario began: received, …, drop and consume reasons
 *     conntrack NODE PROTOCOL [STATE] A -> B [id N] [assured] [unreplied] [left 120s]   an entry, by its original direction
 *     conntrack NODE entries N                 how many there are
 *     link FROM -> TO [delay 20ms] [jitter 5ms] [loss 0.5] [duplicate 1] [reorder 1] [seed N]
 *     advance 31s                              time passes
 *
 * Frames are in the words of `frame-words.ts`; a line that ends in `\` goes on. What comes out of a port, the wire or
 * into the drop counters and is not expected before the next `>`, `advance` or the end fails the scenario.
 */
import type { LinkSettings } from '../../src/links/link.ts';
import { consumeReasons, dropReasons } from '../../src/packet/outcome.ts';
import { joined } from '../support/frames.ts';
import { readAddress, readFrameWords } from './frame-words.ts';
import type { WireFrame } from './wire-frame.ts';
import { FlowError, Words } from './words.ts';
import { type NamedCluster, namedCluster, type Place } from './worlds.ts';

export interface WantedConnection {
  readonly protocol: string;
  readonly state: string | undefined;
  readonly source: string;
  readonly sourcePort: number | undefined;
  readonly destination: string;
  readonly destinationPort: number | undefined;
  /** ICMP. */
  readonly id: number | undefined;
  readonly assured: boolean;
  readonly unreplied: boolean;
  readonly leftMs: number | undefined;
}

type Action =
  | { readonly type: 'send'; readonly at: Place; readonly frame: WireFrame }
  | { readonly type: 'receive'; readonly at: Place; readonly frame: WireFrame }
  | { readonly type: 'inject'; readonly from: string; readonly to: string; readonly datagram: Uint8Array }
  | {
      readonly type: 'wire';
      readonly from: string;
      readonly to: string;
      readonly tos: number;
      readonly datagram: Uint8Array;
    }
  | { readonly type: 'drop'; readonly node: string; readonly reason: string; readonly count: number }
  | {
      readonly type: 'count';
      readonly node: string;
      readonly counts: readonly (readonly [name: string, value: number])[];
    }
  | { readonly type: 'connection'; readonly node: string; readonly wanted: WantedConnection }
  | { readonly type: 'entries'; readonly node: string; readonly count: number }
  | { readonly type: 'link'; readonly from: string; readonly to: string; readonly settings: LinkSettings }
  | { readonly type: 'advance'; readonly ms: number };

export type Step = Action & { readonly place: string; readonly text: string };

export interface Scenario {
  readonly file: string;
  readonly cluster: NamedCluster;
  readonly steps: readonly Step[];
}

const TERMS = ['received', 'originated', 'copied', 'split', 'delivered', 'held'];
const dropNames = dropReasons.map(({ name }) => name);
const countNames = [...TERMS, ...dropNames, ...consumeReasons.map(({ name }) => name)];

/** @throws FlowError with file and line. */
export function readScenario(file: string, text: string): Scenario {
  let cluster: NamedCluster | undefined;
  const steps: Step[] = [];
  for (const { place, line } of logicalLines(file, text)) {
    const words = new Words(place, line);
    const first = words.take('a word');
    if (first === 'cluster') {
      if (cluster !== undefined) words.fail('there is a cluster already');
      const name = words.take('the name of a cluster');
      cluster = namedCluster(name) ?? words.fail(`there is no cluster ${name}`);
      words.end();
    } else if (cluster === undefined) words.fail('the scenario begins with "cluster NAME"');
    else {
      const action = new LineReader(cluster, words).read(first);
      words.end();
      steps.push({ ...action, place, text: line.trim() });
    }
  }
  if (cluster === undefined || steps.length === 0) throw new FlowError(`${file}:1`, 'nothing happens here');
  return { file, cluster, steps };
}

/** Without comments and empty lines, and with continued lines as one. */
function logicalLines(file: string, text: string): { place: string; line: string }[] {
  const lines: { place: string; line: string }[] = [];
  let open: { place: string; line: string } | undefined;
  for (const [i, raw] of text.split('\n').entries()) {
    const line = raw.replace(/(^|\s)#.*$/, '').trimEnd();
    if (line === '' && open === undefined) continue;
    open = { place: open?.place ?? `${file}:${i + 1}`, line: `${open?.line ?? ''}${line.replace(/\\$/, '')}` };
    if (line.endsWith('\\')) continue;
    lines.push(open);
    open = undefined;
  }
  return lines;
}

class LineReader {
  readonly #cluster: NamedCluster;
  readonly #words: Words;

  constructor(cluster: NamedCluster, words: Words) {
    this.#cluster = cluster;
    this.#words = words;
  }

  read(first: string): Action {
    const words = this.#words;
    const at = this.#cluster.places.get(first);
    if (at !== undefined) return this.#port(at);
    switch (first) {
      case 'wire':
        return this.#wire();
      case 'drop':
        return this.#drop();
      case 'count':
        return this.#count();
      case 'conntrack':
        return this.#conntrack();
      case 'link':
        return this.#link();
      case 'advance':
        return { type: 'advance', ms: words.duration() };
      default: {
        const places = [...this.#cluster.places.keys()].join(', ');
        return words.fail(`found "${first}", expected wire, drop, count, conntrack, link, advance or one of ${places}`);
      }
    }
  }

  #port(at: Place): Action {
    const words = this.#words;
    if (words.has('>')) return { type: 'send', at, frame: readFrameWords(words, at.ends) };
    words.expect('<');
    const { sourceMac, destinationMac } = at.ends;
    const frame = readFrameWords(words, { sourceMac: destinationMac, destinationMac: sourceMac });
    return { type: 'receive', at, frame };
  }

  #wire(): Action {
    const words = this.#words;
    const injected = words.has('>');
    if (!injected) words.expect('=');
    const from = injected && !this.#isNode(words.peek) ? readAddress(words).address : this.#node();
    words.expect('->');
    const to = this.#node();
    if (injected && words.has('raw')) return { type: 'inject', from, to, datagram: words.bytes('a datagram') };
    words.expect('vni');
    const vni = words.number('a VNI');
    const tos = words.has('tos') ? words.number('a TOS') : 0;
    words.expect('[');
    const ends = { sourceMac: this.#mac(from), destinationMac: this.#mac(to) };
    const { bytes } = readFrameWords(words.group(), ends);
    const datagram = joined([8, 0, 0, 0, vni >>> 16, (vni >>> 8) & 255, vni & 255, 0], bytes);
    return injected ? { type: 'inject', from, to, datagram } : { type: 'wire', from, to, tos, datagram };
  }

  #drop(): Action {
    const words = this.#words;
    const node = this.#node();
    const reason = words.take('a drop reason');
    if (!dropNames.includes(reason)) words.fail(`there is no drop reason ${reason}`);
    return { type: 'drop', node, reason, count: words.done ? 1 : words.number('a count') };
  }

  #count(): Action {
    const words = this.#words;
    const node = this.#node();
    const counts: [string, number][] = [];
    do {
      const name = words.take('a counter');
      if (!countNames.includes(name)) words.fail(`there is no counter ${name}`);
      const value = words.take('a number');
      if (!/^\d+,?$/.test(value)) words.fail(`found "${value}", expected a number`);
      counts.push([name, Number.parseInt(value, 10)]);
    } while (!words.done);
    return { type: 'count', node, counts };
  }

  #conntrack(): Action {
    const words = this.#words;
    const node = this.#node();
    const protocol = words.take('a protocol or "entries"');
    if (protocol === 'entries') return { type: 'entries', node, count: words.number('a count') };
    const state = /^[A-Z][A-Z_]+[A-Z0-9]$/.test(words.peek ?? '') ? words.take('a state') : undefined;
    const { address: source, port: sourcePort } = readAddress(words);
    words.expect('->');
    const { address: destination, port: destinationPort } = readAddress(words);
    const id = words.has('id') ? words.number('an id') : undefined;
    const assured = words.has('assured');
    const unreplied = words.has('unreplied');
    const leftMs = words.has('left') ? words.duration() : undefined;
    const ends = { source, sourcePort, destination, destinationPort, id };
    return { type: 'connection', node, wanted: { protocol, state, ...ends, assured, unreplied, leftMs } };
  }

  #link(): Action {
    const words = this.#words;
    const from = this.#node();
    words.expect('->');
    const to = this.#node();
    const settings = { delayMs: 0, jitterMs: 0, loss: 0, duplicate: 0, reorder: 0, seed: 1 };
    while (!words.done) {
      const word = words.take('a setting');
      if (word === 'delay' || word === 'jitter') settings[`${word}Ms`] = words.duration();
      else if (word === 'loss' || word === 'duplicate' || word === 'reorder' || word === 'seed') {
        settings[word] = words.number(word);
      } else words.fail(`"${word}" says nothing about a link`);
    }
    return { type: 'link', from, to, settings };
  }

  #isNode(name: string | undefined): boolean {
    return this.#cluster.topology.nodes.some((node) => node.name === name);
  }

  #node(): string {
    const name = this.#words.take('a node');
    if (!this.#isNode(name)) this.#words.fail(`there is no node ${name}`);
    return name;
  }

  /** Of a node; a stranger has one that nobody asks for. */
  #mac(name: string): string {
    return this.#cluster.topology.nodes.find((node) => node.name === name)?.mac ?? '02:00:00:00:00:99';
  }
}
