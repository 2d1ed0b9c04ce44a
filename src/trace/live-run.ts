/** One real probe in a running cluster, and what every node has seen of it. */
import { randomInt } from 'node:crypto';
import type { ApiClient } from '../api/client.ts';
import { PROBE_PATH, type ProbeBody } from '../api/probe.ts';
import { CaptureSession } from '../capture/capture-session.ts';
import { Verdicts } from '../dataplane/capture.ts';
import { monotonicNs } from '../nodes/monotonic.ts';
import type { ProbeReport } from '../nodes/protocol.ts';
import { type Beginning, follow } from './follow.ts';
import { type Seen, seenOf } from './seen.ts';
import { type Story, tellStory } from './story.ts';
import { isDecided } from './verdict.ts';

/** Outer headers, inner ones with options, and the quote of an ICMP error. */
const SNAP_LEN = 256;
const RING_BYTES = 1 << 21;
/** Whoever was to be told of a drop has been told after so long. */
const TOLD_MS = 100;
/** What it takes to ask beyond what is waited for. */
const ASKING_MS = 5000;
/** Source ports as Linux gives them to clients (net.ipv4.ip_local_port_range), and identifiers of ICMP. */
const PORT_FIRST = 32_768;
const PORT_END = 61_000;
/** Somebody may have a port already: then another is tried. */
const PORTS_TRIED = 20;

export interface LiveQuestion {
  readonly client: ApiClient;
  readonly nodes: readonly string[];
  readonly body: ProbeBody;
  /** What its first packet looks like, but for its source port: that is chosen here. */
  readonly beginning: Beginning;
  /** A program that keeps other packets out; null for none. */
  readonly filter: readonly number[] | null;
  readonly say: (message: string) => void;
}

export interface LiveAnswer {
  readonly report: ProbeReport;
  readonly story: Story;
  /** Sightings that nodes had no room for. */
  readonly lost: number;
  /** Nodes that say nothing. */
  readonly silent: readonly string[];
}

/**
 * The source port is chosen before anything is sent: so a packet of somebody else who asks the same of the same at that
 * moment is never taken for the probe's.
 */
export async function liveRun({ client, nodes, body, beginning, filter, say }: LiveQuestion): Promise<LiveAnswer> {
  const seen: Seen[] = [];
  let sourcePort = randomPort();
  const story = () => tellStory(follow(seen, { ...beginning, sourcePort }));
  const ending = new AbortController();
  let told = 0;
  /** What a pod says of its own accord meanwhile may look the same. */
  let sinceNs = Infinity;
  let failure: unknown;
  let report: ProbeReport = { outcome: 'no-answer', detail: 'no answer', source: undefined };
  const session = new CaptureSession(client, {
    request: ({ hops }) => ({
      ...{ snapLen: SNAP_LEN, verdicts: Verdicts.All, noise: false, filter, ringBytes: RING_BYTES },
      ...{ lastMs: 0, live: true, hops: hops.map(({ way }) => way) },
    }),
    sighting: (sighting, scene) => {
      const one = sighting.timeNs < sinceNs ? undefined : seenOf(sighting, scene);
      if (one !== undefined) seen.push(one);
    },
    flush: () => {
      if (ending.signal.aborted || seen.length === told) return;
      const hasDrop = seen.slice(told).some(({ outcome }) => outcome < 0);
      told = seen.length;
      if (hasDrop && isDecided(story())) setTimeout(() => ending.abort(), TOLD_MS);
    },
    begun: () => void ask(),
    say,
  });
  const post = (asked: ProbeBody, signal: AbortSignal) =>
    client.post<ProbeReport>(PROBE_PATH, asked, asked.timeoutMs + ASKING_MS, signal);
  const ask = async () => {
    sinceNs = monotonicNs();
    try {
      for (let tried = 0; tried < PORTS_TRIED; tried++) {
        if (tried > 0) sourcePort = randomPort();
        report = await post({ ...body, sourcePort }, ending.signal);
        if (report.portTaken !== true) break;
      }
    } catch (error) {
      if (!ending.signal.aborted) failure = error;
    }
    session.stop();
  };
  await session.run(nodes, true);
  if (failure !== undefined) throw failure;
  const lost = [...session.losses.values()].reduce((sum, count) => sum + count, 0);
  return { report, story: story(), lost, silent: session.silent };
}

function randomPort(): number {
  return randomInt(PORT_FIRST, PORT_END);
}
