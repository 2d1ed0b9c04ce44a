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

/** Bytes of a node that has begun and has nothing to tell. */
const idle = noteSighting(SightingKind.Quiet, 1);

/** A session with n1, which tells, and n2, which does what is asked of it. */
async function pair(n2: (socket: PassThrough) => void): Promise<{ begunMs: number; silent: string[]; said: string[] }> {
  const client = {
    get: async (path: string) => ({ ...scene, node: path.includes('/n1/') ? 'n1' : 'n2' }),
    upgrade: async (path: string) => {
      const socket = new PassThrough();
      const tell = setInterval(() => socket.write(idle), 20);
      socket.on('finish', () => clearInterval(tell));
      if (path.includes('/n2/')) {
        clearInterval(tell);
        n2(socket);
      }
      return { socket, head: new Uint8Array(0) };
    },
  };
  const said: string[] = [];
  const beganMs = performance.now();
  let begunMs = Infinity;
  let silent: string[] = [];
  const one = new CaptureSession(client as never, {
    request: () => ({}) as never,
    sighting: () => {},
    flush: () => {},
    begun: () => {
      begunMs = Math.min(begunMs, performance.now() - beganMs);
      setTimeout(() => {
        ({ silent } = one);
        one.stop();
      }, 100);
    },
    say: (message) => void said.push(message),
  });
  await one.run(['n1', 'n2'], true);
  return { begunMs, silent, said };
}

describe('a session begins', () => {
  test('without a node that says nothing, and says so', async () => {
    const { begunMs, silent, said } = await pair((socket) => socket.on('finish', () => socket.destroy()));
    expect(begunMs).toBeGreaterThan(900);
    expect(begunMs).toBeLessThan(3000);
    expect(silent).toEqual(['n2']);
    expect(said[0]).toBe('node n2 says nothing; its packets may come late');
  });

  test('when the slower of two has begun', async () => {
    const { begunMs, silent, said } = await pair((socket) => {
      setTimeout(() => socket.write(idle), 200);
    });
    expect(begunMs).toBeGreaterThan(190);
    expect(begunMs).toBeLessThan(900);
    expect([silent, said]).toEqual([[], []]);
  });
});

/** Two nodes of which one is not asked, and what it has to say of its hops comes last. */
async function oneOfTwo(): Promise<number> {
  const client = {
    get: async (path: string) => {
      if (path.includes('/n2/')) await new Promise((resolve) => setTimeout(resolve, 50));
      return { ...scene, node: path.includes('/n1/') ? 'n1' : 'n2' };
    },
    upgrade: async () => {
      const socket = new PassThrough();
      const tell = setInterval(() => socket.write(idle), 20);
      socket.on('finish', () => clearInterval(tell));
      return { socket, head: new Uint8Array(0) };
    },
  };
  let begun = 0;
  const one = new CaptureSession(client as never, {
    request: ({ node }) => (node === 'n1' ? ({} as never) : undefined),
    sighting: () => {},
    flush: () => {},
    begun: () => {
      begun++;
      one.stop();
    },
    say: () => {},
  });
  await Promise.race([one.run(['n1', 'n2'], true), new Promise((resolve) => setTimeout(resolve, 2000))]);
  one.stop();
  return begun;
}

test('a session begins when the last node turns out to have nothing to tell', async () => {
  expect(await oneOfTwo()).toBe(1);
});

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
