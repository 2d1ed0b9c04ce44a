/** A capture of a cluster that denies: what is handed on has its words, and never waits for them in vain. */
import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { CaptureSession } from '../../src/capture/capture-session.ts';
import {
  HEADER_WORDS,
  KEYS_BYTES,
  noteSighting,
  SightingBytes,
  SightingKind,
  Word,
} from '../../src/recording/sighting.ts';
import { policy, worldOf } from '../network-policy/explain-world.ts';
import { joined } from '../support/frames.ts';
import { judged, scene } from './sightings.ts';

/** The bytes that a node tells of a denied packet. */
function deniedPacket(timeNs: number, revision: number): Uint8Array {
  const { bits, outcome, hop, ingress, keys } = judged({ revision });
  const length = HEADER_WORDS * 4 + KEYS_BYTES;
  const { bytes, words, doubles } = new SightingBytes(new ArrayBuffer(length));
  words[Word.Length] = length;
  words[Word.Kind] = SightingKind.Packet;
  doubles[Word.Time >> 1] = timeNs;
  words[Word.Bits] = bits;
  words[Word.Outcome] = outcome;
  words[Word.Hop] = hop;
  words[Word.Ingress] = ingress;
  words.set(keys, HEADER_WORDS);
  return bytes;
}

const told = joined(
  deniedPacket(10, 7),
  noteSighting(SightingKind.Packet, 20),
  deniedPacket(30, 8),
  deniedPacket(40, 7),
  noteSighting(SightingKind.End, 50),
);

/** What comes out of a session with one node. @param world what the cluster answers when it is asked for a revision */
async function session(world: (revision: number) => Promise<object>): Promise<(string | undefined)[]> {
  const socket = new PassThrough();
  const client = {
    get: async (path: string) => {
      if (path.endsWith('/scene')) return scene;
      return await world(Number(path.slice(path.lastIndexOf('/') + 1)));
    },
    upgrade: async () => {
      setImmediate(() => socket.end(told));
      return { socket, head: new Uint8Array(0) };
    },
  };
  const seen: (string | undefined)[] = [];
  const one = new CaptureSession(client as never, {
    request: () => ({}) as never,
    sighting: (sighting) => void seen.push(`${sighting.timeNs} ${one.denials.explain(sighting)?.rule?.name}`),
    flush: () => {},
    begun: () => {},
    say: () => {},
  });
  await one.run(['n1'], false);
  return seen;
}

function answer(revision: number): object {
  const world = worldOf(policy(`policy-${revision}`, 1, {}));
  return { ...world, revision, policies: world.policies.map((one) => ({ ...one, places: {} })) };
}

describe('what is handed on', () => {
  test('waits for the policies that denied it, in its order', async () => {
    const asked: number[] = [];
    const seen = await session(async (revision) => {
      asked.push(revision);
      await new Promise((resolve) => setImmediate(resolve));
      return answer(revision);
    });
    expect(seen).toEqual(['10 policy-7', '20 undefined', '30 policy-8', '40 policy-7']);
    expect(asked).toEqual([7, 8]);
  });

  test('goes on without words where the cluster has forgotten them', async () => {
    const seen = await session(async (revision) => {
      if (revision === 7) throw new Error('not found');
      return answer(revision);
    });
    expect(seen).toEqual(['10 undefined', '20 undefined', '30 policy-8', '40 undefined']);
  });
});
