/** Whatever the bytes: an answer that can be read, or none; never an exception, never long. */
import { expect, test } from 'vitest';
import { PACKETS } from '../support/packets.ts';
import { type Random, withRandom } from '../support/random.ts';
import { optRecord, query, readAnswer, reverseName, types, wireName, words } from './messages.ts';
import { Client, shop, shopZone } from './shop.ts';

/** `PODWIRE_PACKETS=1000000` makes it 200,000. */
const MESSAGES = PACKETS / 5;
const names = [
  ...shop.flatMap(({ name, namespace }) => [
    `${name}.${namespace}.svc.cluster.local`,
    `_http._tcp.${name}.${namespace}.svc.cluster.local`,
  ]),
  'db-0.db.default.svc.cluster.local',
  '10-244-2-7.default.pod.cluster.local',
  reverseName('10.96.0.20'),
  reverseName('fd00:10:96::20'),
  'dns-version.cluster.local',
  'cluster.local',
  'example.com',
].map((name) => wireName(name));
const questionTypes = Object.values(types);
const interesting = [0, 1, 12, 41, 63, 64, 128, 192, 255];

function record(random: Random): Buffer {
  if (random.once(2)) return optRecord(random.pick([0, 512, 1232, 65_535]));
  const owner = random.once(2) ? words(0xc000 | random.below(64)) : random.pick(names);
  return Buffer.concat([
    owner,
    words(random.pick(questionTypes), 1, 0, 0, random.below(8)),
    random.bytes(random.below(8)),
  ]);
}

/** A sound query, or one with records behind, with some bytes changed, cut off, or put twice. */
function message(random: Random): Buffer {
  let bytes = query(random.pick(names), random.pick(questionTypes), random.once(3) ? { edns: random.below(5000) } : {});
  if (random.once(4)) {
    bytes = Buffer.concat([bytes, record(random), record(random)]);
    bytes.writeUInt16BE(random.below(4), 6 + 2 * random.below(3));
  }
  for (let changes = random.below(5); changes > 0; changes--) {
    bytes[random.below(bytes.length)] = random.once(2) ? random.pick(interesting) : random.below(256);
  }
  if (random.once(8)) bytes = bytes.subarray(0, random.below(bytes.length + 1));
  if (random.once(50)) bytes = Buffer.concat(Array.from({ length: 1 + random.below(300) }, () => bytes));
  return random.once(100) ? Buffer.from(random.bytes(random.below(600))) : bytes;
}

test(`${MESSAGES} messages of all kinds`, () => {
  withRandom((random) => {
    const clients = [new Client(), new Client(shopZone({ pods: 'insecure', endpointPodNames: true }))];
    const counts = new Map<string, number>();
    for (let i = 0; i < MESSAGES; i++) {
      const bytes = message(random);
      const before = Buffer.from(bytes);
      const answer = random.pick(clients).responder.respond(bytes, random.once(4) ? 'tcp' : 'udp');
      if (!before.equals(bytes)) throw new Error('the query was changed');
      const result = answer === undefined ? 'silence' : check(answer, bytes);
      counts.set(result, (counts.get(result) ?? 0) + 1);
    }
    // All ways have been gone, and often.
    for (const result of ['silence', 'NOERROR', 'NXDOMAIN', 'FORMERR', 'NOTIMP', 'REFUSED', 'BADVERS']) {
      expect(counts.get(result), `${result} of ${[...counts]}`).toBeGreaterThan(MESSAGES / 2000);
    }
  });
});

/** @returns the status. @throws Error when the message cannot be read or does not belong to the query. */
function check(answer: Uint8Array, bytes: Uint8Array): string {
  const { id, status, flags, length } = readAnswer(answer);
  if (id !== ((bytes[0]! << 8) | bytes[1]!)) throw new Error('another id');
  if (!flags.startsWith('qr')) throw new Error('no answer');
  if (length > 4096) throw new Error(`${length} bytes`);
  return status;
}
