/**
 * Probes that all begin at one moment. Virtual time goes on only while one of them is undecided. A probe whose packet a
 * node has dropped for a reason that time does not change is decided at once, by that drop.
 */
import {
  invertKey,
  KEY_DESTINATION,
  KEY_PORTS,
  KEY_PROTOCOL,
  KEY_SOURCE,
  KEY_WORDS,
  protocolWord,
} from '../packet/flow-key.ts';
import { isLasting } from '../packet/lasting-drops.ts';
import { Drop, type DropName, dropReasons, type Outcome } from '../packet/outcome.ts';
import { plainAddress, wordsOf } from '../stack/ip-packet.ts';
import { type Probe, type ProbeProtocol, type ProbeResult, startProbe } from '../stack/probe.ts';
import { formatAddress } from '../wire/address.ts';
import { Protocol } from '../wire/protocol.ts';
import { DropWatcher } from './drop-watcher.ts';
import type { PodEnd } from './pod-end.ts';
import type { Simulation } from './simulation.ts';

/** Long enough for a lost SYN to be sent again twice. Virtual time. */
const TIMEOUT_MS = 5000;
/** Nodes look for what has timed out at least this often. */
const STEP_MS_MAX = 1000;

export interface ProbeAsk {
  readonly end: PodEnd;
  readonly node: string;
  readonly protocol: ProbeProtocol;
  readonly address: string;
  readonly port: number;
}

/** How a node dropped a packet of a probe. */
export interface ProbeDrop {
  readonly reason: DropName;
  /** Will a packet that is sent again meet the same end? */
  readonly lasting: boolean;
}

/** Who asked whom, as policy sees it: after a Service's translation, before masquerading. */
export interface JudgedEnds {
  readonly source: string;
  readonly destination: string;
  /** 0 for ICMP. */
  readonly port: number;
}

export interface ProbeReport extends ProbeResult {
  /** The first drop, or the first that lasts. */
  readonly drop: ProbeDrop | undefined;
  /** Undefined when nothing was sent, or nothing has come through and nothing was judged. */
  readonly judged: JudgedEnds | undefined;
}

/** One that is under way. */
interface Running {
  readonly ask: ProbeAsk;
  probe: Probe | undefined;
  result: ProbeResult | undefined;
  drop: ProbeDrop | undefined;
  judged: JudgedEnds | undefined;
}

const key = new Int32Array(KEY_WORDS);

export class ProbeRun {
  readonly #simulation: Simulation;
  readonly #ending: 'orderly' | 'abort';
  /** By `placeKey` of what they leave with. */
  readonly #bySource = new Map<string, Running>();
  #undecided = 0;

  constructor(simulation: Simulation, ending: 'orderly' | 'abort') {
    this.#simulation = simulation;
    this.#ending = ending;
  }

  run(asks: readonly ProbeAsk[]): ProbeReport[] {
    const simulation = this.#simulation;
    const watchers = [...simulation.nodes.values()].map(
      ({ dataplane }) =>
        new DropWatcher(dataplane, (outcome, original, judged) => this.#note(outcome, original, judged)),
    );
    try {
      const all = asks.map((ask) => this.#begin(ask));
      this.#undecided = all.length;
      simulation.advance(0);
      for (;;) {
        for (const running of all) this.#giveUp(running);
        if (this.#undecided === 0) break;
        simulation.advance(Math.min(STEP_MS_MAX, Math.max(0, simulation.nextMs - simulation.nowMs)));
      }
      return all.map(({ result, drop, judged }) => {
        const { outcome, detail } = result!;
        return { outcome, detail, drop, judged };
      });
    } finally {
      for (const watcher of watchers) watcher.close();
    }
  }

  /** Nothing more happens now: whoever was to say something about a drop has said it. */
  #giveUp({ ask, probe, result, drop }: Running): void {
    if (result === undefined && drop?.lasting === true) ask.end.use(() => probe!.give('no-answer', 'no answer'));
  }

  #begin(ask: ProbeAsk): Running {
    const { protocol, address, port } = ask;
    const running: Running = { ask, probe: undefined, result: undefined, drop: undefined, judged: undefined };
    const target = { protocol, address, port, timeoutMs: TIMEOUT_MS, ending: this.#ending };
    running.probe = ask.end.use((endpoint) =>
      startProbe(endpoint, target, (result) => {
        running.result = result;
        this.#undecided--;
        if (result.outcome === 'delivered') running.judged = this.#passed(running);
      }),
    );
    const { source } = running.probe;
    if (source !== undefined) this.#bySource.set(placeKey(protocols[protocol], source.address, source.port), running);
    return running;
  }

  #note(outcome: Outcome, original: Int32Array, judged: Int32Array): void {
    const running = this.#find(original);
    if (running === undefined || running.result !== undefined) return;
    const reason = dropReasons[-1 - outcome]!.name as DropName;
    const drop = { reason, lasting: isLasting(reason) };
    if (running.drop !== undefined && (running.drop.lasting || !drop.lasting)) return;
    running.drop = drop;
    running.judged = outcome === Drop.PolicyDenied ? this.#ends(running, judged) : undefined;
  }

  /** The probe whose connection, or whose reply, has this key; also when another node has given the client its address. */
  #find(original: Int32Array): Running | undefined {
    const found = this.#byEnds(original);
    if (found !== undefined) return found;
    invertKey(original, 0, key, 0);
    for (const { dataplane } of this.#simulation.nodes.values()) {
      const { connections } = dataplane;
      const half = connections.find(key, 0, connections.hash(key, 0));
      if (half < 0) continue;
      connections.key(half & ~1, key);
      return this.#byEnds(key);
    }
    return undefined;
  }

  #byEnds(words: Int32Array): Running | undefined {
    const protocol = words[KEY_PROTOCOL]! & 0xff;
    const ports = words[KEY_PORTS]!;
    const isIcmp = protocol === Protocol.Icmp || protocol === Protocol.Icmpv6;
    const byAddress = (at: number, port: number) =>
      this.#bySource.get(placeKey(isIcmp ? Protocol.Icmp : protocol, formatAddress(words, at), port));
    return byAddress(KEY_SOURCE, ports >>> 16) ?? byAddress(KEY_DESTINATION, isIcmp ? ports >>> 16 : ports & 0xffff);
  }

  #ends({ ask }: Running, words: Int32Array): JudgedEnds {
    const port = ask.protocol === 'icmp' ? 0 : words[KEY_PORTS]! & 0xffff;
    return { source: formatAddress(words, KEY_SOURCE), destination: formatAddress(words, KEY_DESTINATION), port };
  }

  /** Of one that came through: its connection knows what became of the address that was asked for. */
  #passed(running: Running): JudgedEnds | undefined {
    const { ask, probe } = running;
    if (probe?.source === undefined) return undefined;
    const { address, port } = probe.source;
    const judged = { source: address, destination: ask.address, port: ask.protocol === 'icmp' ? 0 : ask.port };
    if (ask.protocol === 'icmp') return judged;
    const { connections } = this.#simulation.nodes.get(ask.node)!.dataplane;
    key.set(wordsOf(address), KEY_SOURCE);
    key.set(wordsOf(plainAddress(ask.address)), KEY_DESTINATION);
    key[KEY_PORTS] = (port << 16) | ask.port;
    key[KEY_PROTOCOL] = protocolWord(address.includes(':') ? 6 : 4, protocols[ask.protocol]);
    const half = connections.find(key, 0, connections.hash(key, 0));
    if (half < 0) return judged; // to itself
    connections.translatedKey(half, key);
    return { ...judged, destination: formatAddress(key, KEY_DESTINATION), port: key[KEY_PORTS]! & 0xffff };
  }
}

const protocols: Readonly<Record<ProbeProtocol, number>> = {
  tcp: Protocol.Tcp,
  udp: Protocol.Udp,
  sctp: Protocol.Sctp,
  icmp: Protocol.Icmp,
};

function placeKey(protocol: number, address: string, port: number): string {
  return `${protocol} ${address} ${port}`;
}
