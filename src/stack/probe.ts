/**
 * One question: does what an endpoint sends to an address and port arrive there, and the answer come back? Decided only
 * from what the endpoint sees: the far end should be `serveEcho`, or anything that answers.
 */

import type { Endpoint } from './endpoint.ts';
import type { ErrorReport } from './icmp-error.ts';
import { plainAddress } from './ip-packet.ts';
import type { CloseReason } from './tcp-connection.ts';

export type ProbeProtocol = 'tcp' | 'udp' | 'sctp' | 'icmp';

export interface ProbeTarget {
  readonly protocol: ProbeProtocol;
  readonly address: string;
  /** Means nothing to ICMP. */
  readonly port: number;
  readonly timeoutMs: number;
  /**
   * An answered connection ends in order, or by RST or ABORT: two packets less, and nothing stays at either end. Default:
   * in order.
   */
  readonly ending?: 'orderly' | 'abort';
}

/** A question that is under way. */
export interface Probe {
  /** What its packets leave with: for ICMP the identifier as port. Undefined when there is no address or port for it. */
  readonly source: { readonly address: string; readonly port: number } | undefined;
  /** Somebody else knows that no answer will come: the result is this, unless there is one already. */
  readonly give: (outcome: ProbeOutcome, detail: string) => void;
}

/**
 * - `delivered`: the far end has answered, with data where the protocol has any here.
 * - `refused`: the far host is there, the port is not: RST, ABORT, or an ICMP port or protocol unreachable.
 * - `rejected`: somebody on the way forbids it: ICMP administratively prohibited.
 * - `unreachable`: an ICMP error says that nobody is there. `no-answer`: silence. `detail` says more.
 */
export type ProbeOutcome = 'delivered' | 'refused' | 'rejected' | 'unreachable' | 'no-answer';

export interface ProbeResult {
  readonly outcome: ProbeOutcome;
  readonly detail: string;
}

/** Datagrams may be lost: they are sent again. */
const AGAIN_MS = 1000;

const line = new TextEncoder().encode('podwire probe\n');

/** What a way of asking tells. The first result counts. */
interface Asking {
  readonly endpoint: Endpoint;
  readonly target: ProbeTarget;
  readonly finish: (outcome: ProbeOutcome, detail: string) => void;
}

/** How far it came when the time is over, and what frees it. */
interface Asked {
  readonly port: number;
  readonly silence: () => string;
  readonly close: (outcome: ProbeOutcome) => void;
}

/** @param done is called once, from the endpoint's `receive` or `wake`. @throws RangeError for what is no address. */
export function startProbe(endpoint: Endpoint, wanted: ProbeTarget, done: (result: ProbeResult) => void): Probe {
  const { protocol, port, timeoutMs, ending = 'orderly' } = wanted;
  const target = { protocol, address: plainAddress(wanted.address), port, timeoutMs, ending };
  let finished = false;
  const finish = (outcome: ProbeOutcome, detail: string) => {
    if (finished) return;
    finished = true;
    cancel();
    asked?.close(outcome);
    done({ outcome, detail });
  };
  const cancel = endpoint.after(target.timeoutMs, () => finish('no-answer', asked?.silence() ?? 'no answer'));
  const asked = ask[target.protocol]({ endpoint, target, finish });
  if (asked === undefined) endpoint.after(0, () => finish('no-answer', 'no source address or port for it'));
  const address = endpoint.sourceFor(target.address);
  const source = asked === undefined || address === undefined ? undefined : { address, port: asked.port };
  return { source, give: finish };
}

const ask: Readonly<Record<ProbeProtocol, (asking: Asking) => Asked | undefined>> = {
  tcp: askTcp,
  udp: askUdp,
  sctp: askSctp,
  icmp: askIcmp,
};

function askTcp({ endpoint, target, finish }: Asking): Asked | undefined {
  let opened = false;
  let echoed = 0;
  let right = true;
  const connection = endpoint.connect(target.address, target.port, {
    open: () => {
      opened = true;
      connection?.write(line);
    },
    data: (bytes) => {
      right &&= bytes.every((byte, i) => byte === line[echoed + i]);
      echoed += bytes.length;
      if (!right) finish('delivered', 'connected, and answered with something else');
      else if (echoed === line.length) finish('delivered', `connected, ${echoed} bytes there and back`);
    },
    end: () => finish('delivered', 'connected, and closed without an echo'),
    closed: (reason, detail) => finish(outcomeOf(reason), opened ? `connected, then: ${detail}` : detail),
  });
  if (connection === undefined) return undefined;
  const silence = () => (opened ? 'connected, then no answer' : 'no answer');
  const close = (outcome: ProbeOutcome) => {
    if (outcome === 'delivered' && target.ending !== 'abort') connection.end();
    else connection.abort();
  };
  return { port: connection.localPort, silence, close };
}

function askUdp({ endpoint, target, finish }: Asking): Asked | undefined {
  const socket = endpoint.openUdp(0, {
    datagram: ({ source, sourcePort, bytes }) => {
      if (source === target.address && sourcePort === target.port) finish('delivered', `${bytes.length} bytes back`);
    },
    error: (report) => fail(report, finish),
  });
  const stop = repeat(endpoint, () => socket.send(target.address, target.port, line));
  const close = () => {
    stop?.();
    socket.close();
  };
  if (stop !== undefined) return { port: socket.port, silence: () => 'no answer', close };
  socket.close();
  return undefined;
}

function askIcmp({ endpoint, target, finish }: Asking): Asked | undefined {
  const ping = endpoint.openPing({
    reply: (from) => {
      if (from === target.address) finish('delivered', 'echo reply');
    },
    error: (report) => fail(report, finish),
  });
  let sequence = 0;
  const stop = repeat(endpoint, () => ping.send(target.address, ++sequence, line));
  const close = () => {
    stop?.();
    ping.close();
  };
  if (stop !== undefined) return { port: ping.identifier, silence: () => 'no answer', close };
  ping.close();
  return undefined;
}

function askSctp({ endpoint, target, finish }: Asking): Asked | undefined {
  let opened = false;
  const association = endpoint.connectSctp(target.address, target.port, {
    open: () => {
      opened = true;
      finish('delivered', 'association established');
    },
    closed: (reason, detail) => finish(outcomeOf(reason), detail),
  });
  if (association === undefined) return undefined;
  const close = () => {
    if (opened && target.ending !== 'abort') association.shutdown();
    else association.abort();
  };
  return { port: association.localPort, silence: () => 'no answer', close };
}

/** Sends now and each second. @returns what ends it; undefined when nothing could be sent. */
function repeat(endpoint: Endpoint, send: () => boolean): (() => void) | undefined {
  if (!send()) return undefined;
  const again = () => {
    send();
    cancel = endpoint.after(AGAIN_MS, again);
  };
  let cancel = endpoint.after(AGAIN_MS, again);
  return () => cancel();
}

function fail({ reason, detail }: ErrorReport, finish: Asking['finish']): void {
  finish(outcomeOf(reason), detail);
}

function outcomeOf(reason: CloseReason): ProbeOutcome {
  switch (reason) {
    case 'refused':
    case 'reset':
      return 'refused';
    case 'rejected':
    case 'unreachable':
      return reason;
    case 'done':
      return 'delivered';
    default:
      return 'no-answer';
  }
}

/** The far end of probes: sends back what comes. @returns what ends it. @throws RangeError for a port in use. */
export function serveEcho(endpoint: Endpoint, protocol: 'tcp' | 'udp' | 'sctp', port: number): () => void {
  if (protocol === 'sctp') return endpoint.listenSctp(port);
  if (protocol === 'udp') {
    const socket = endpoint.openUdp(port, {
      datagram: ({ source, sourcePort, destination, bytes }) => socket.send(source, sourcePort, bytes, destination),
    });
    return () => socket.close();
  }
  return endpoint.listen(port, (connection) => ({
    data: (bytes) => {
      if (!connection.write(bytes)) connection.pause(); // who does not read is not read from
    },
    drain: () => connection.resume(),
    end: () => connection.end(),
  }));
}
