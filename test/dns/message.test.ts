/** Messages: what a server must do with bytes that strangers send (RFC 1035, RFC 6891). */
import { describe, expect, test } from 'vitest';
import { optRecord, query, readAnswer, wireName, words } from './messages.ts';
import { Client, endpoint, port, service, shopZone } from './shop.ts';

const client = new Client();
const name = 'web.default.svc.cluster.local';
const question = Buffer.concat([wireName(name), words(1, 1)]);

function header(counts: readonly [number, number, number, number] = [1, 0, 0, 0], flags = 0x0100): Buffer {
  return words(0x1234, flags, ...counts);
}

/** @returns undefined for silence. */
function status(...parts: readonly Uint8Array[]): string | undefined {
  const answer = client.responder.respond(Buffer.concat(parts), 'udp');
  return answer === undefined ? undefined : readAnswer(answer).status;
}

/** A headless service with so many endpoints. */
function wide(count: number): Client {
  const endpoints = Array.from({ length: count }, (_, i) =>
    endpoint(`10.244.${i >> 8}.${i & 255}`, { hostname: `wide-${i}`, ports: [port('http', 80)] }),
  );
  return new Client(shopZone({}, [service('wide', { headless: true, endpoints })]));
}

const root = Buffer.of(0);
const otherRecord = (owner: Uint8Array, data: Uint8Array, length = data.length) =>
  Buffer.concat([owner, words(1, 1, 0, 5, length), data]);

const cases: readonly (readonly [what: string, expected: string | undefined, ...parts: Uint8Array[]])[] = [
  ['a sound query', 'NOERROR', header(), question],
  ['nothing', undefined],
  ['one byte', undefined, Buffer.of(0x12)],
  ['a header cut short', undefined, header().subarray(0, 11)],
  ['an answer', undefined, header([1, 0, 0, 0], 0x8180), question],
  ['an answer without sense', undefined, header([9, 9, 9, 9], 0x8180)],
  ['a header alone', 'FORMERR', header()],
  ['no question', 'FORMERR', header([0, 0, 0, 0])],
  ['two questions', 'FORMERR', header([2, 0, 0, 0]), question, question],
  ['65535 questions', 'FORMERR', header([65_535, 0, 0, 0]), question],
  ['65535 answers', 'FORMERR', header([1, 65_535, 0, 0]), question],
  ['65535 authorities', 'FORMERR', header([1, 0, 65_535, 0]), question],
  ['65535 additional records', 'FORMERR', header([1, 0, 0, 65_535]), question],
  ['a pointer to itself', 'FORMERR', header(), words(0xc00c, 1, 1)],
  ['two pointers in a loop', 'FORMERR', header(), words(0xc00e, 0xc00c, 1, 1)],
  ['a pointer past the end', 'FORMERR', header(), words(0xffff, 1, 1)],
  ['a pointer into the header', 'FORMERR', header(), words(0xc000, 1, 1)],
  ['a pointer into the header, where a zero stands', 'FORMERR', words(0, 0x0100, 1, 0, 0, 0, 0xc000, 1, 1)],
  ['a pointer forward', 'FORMERR', header(), words(0xc012, 1, 1), wireName(name)],
  ['64 bytes behind a label of type 01', 'FORMERR', header(), Buffer.of(64), Buffer.alloc(64, 97), root, words(1, 1)],
  [
    'three additional records, all sound',
    'FORMERR',
    header([1, 0, 0, 3]),
    question,
    ...[1, 2, 3].map(() => otherRecord(root, root)),
  ],
  [
    'three answers and authorities, all sound',
    'FORMERR',
    header([1, 2, 1, 0]),
    question,
    ...[1, 2, 3].map(() => otherRecord(root, root)),
  ],
  ['half a pointer', 'FORMERR', header(), Buffer.of(0xc0)],
  ['a label of type 01', 'FORMERR', header(), Buffer.from('\x40abc'), root, words(1, 1)],
  ['a label of type 10', 'FORMERR', header(), Buffer.of(0x80, 1, 0), words(1, 1)],
  ['a label past the end', 'FORMERR', header(), Buffer.of(63), Buffer.alloc(10, 97)],
  ['a name without its end', 'FORMERR', header(), wireName(name).subarray(0, -1)],
  [
    'a name of 255 bytes',
    'REFUSED',
    header(),
    wireName(`${`${'a'.repeat(63)}.`.repeat(3)}${'a'.repeat(61)}`),
    words(1, 1),
  ],
  [
    'a name of 256 bytes',
    'FORMERR',
    header(),
    wireName(`${`${'a'.repeat(63)}.`.repeat(3)}${'a'.repeat(62)}`),
    words(1, 1),
  ],
  ['the root', 'REFUSED', header(), root, words(1, 1)],
  ['no class', 'FORMERR', header(), wireName(name), words(1)],
  ['half a class', 'FORMERR', header(), wireName(name), words(1), Buffer.of(0)],
  ['bytes behind', 'NOERROR', header(), question, Buffer.from('behind')],
  ['opcode 15', 'NOTIMP', header([1, 0, 0, 0], 0x7900), question],
  ['opcode NOTIFY', 'NOTIMP', header([1, 0, 0, 0], 0x2000), question],
  ['escapes in a label', 'NXDOMAIN', header(), Buffer.from('\x04\x1b[2J'), wireName(name), words(1, 1)],
  ['a dot in a label', 'NXDOMAIN', header(), Buffer.from('\x05a.b\\c'), wireName(name), words(1, 1)],
  [
    'a label of all that looks like the zone',
    'REFUSED',
    header(),
    Buffer.from('\x0dcluster\x05local'),
    root,
    words(1, 1),
  ],
  ['EDNS', 'NOERROR', header([1, 0, 0, 1]), question, optRecord(1232)],
  ['EDNS version 255', 'BADVERS', header([1, 0, 0, 1]), question, optRecord(4096, 255)],
  ['EDNS size 1', 'NOERROR', header([1, 0, 0, 1]), question, optRecord(1)],
  ['two OPT records', 'FORMERR', header([1, 0, 0, 2]), question, optRecord(512), optRecord(512)],
  ['an OPT record in the authority section', 'FORMERR', header([1, 0, 1, 0]), question, optRecord(512)],
  ['an OPT record with an owner', 'FORMERR', header([1, 0, 0, 1]), question, wireName('a'), optRecord(512).subarray(1)],
  ['an OPT record cut short', 'FORMERR', header([1, 0, 0, 1]), question, optRecord(512).subarray(0, 10)],
  [
    'an OPT record whose data are missing',
    'FORMERR',
    header([1, 0, 0, 1]),
    question,
    optRecord(512).subarray(0, 9),
    words(1),
  ],
  ['an OPT record that is not there', 'FORMERR', header([1, 0, 0, 1]), question],
  ['another record', 'NOERROR', header([1, 0, 0, 1]), question, otherRecord(words(0xc00c), Buffer.of(1, 2, 3, 4))],
  [
    'another record with a pointer forward',
    'FORMERR',
    header([1, 0, 0, 1]),
    question,
    otherRecord(words(0xc0ff), Buffer.of(1)),
  ],
  [
    'another record longer than the message',
    'FORMERR',
    header([1, 0, 0, 1]),
    question,
    otherRecord(root, Buffer.of(1), 2),
  ],
];

describe('a query with', () => {
  for (const [what, expected, ...parts] of cases) {
    test(`${what}: ${expected ?? 'silence'}`, () => expect(status(...parts)).toBe(expected));
  }

  test('a chain of pointers is followed as far as a name could need', () => {
    const chained = (count: number) => {
      // In the data of the first record: the chain; the owner of the second leads to its end.
      const before = Buffer.concat([header([1, 0, 0, 2]), question]);
      const dataAt = before.length + 11;
      const chain = Buffer.alloc(1 + 2 * count);
      for (let i = 0; i < count; i++)
        chain.writeUInt16BE(0xc000 | (i === 0 ? dataAt : dataAt + 1 + 2 * (i - 1)), 1 + 2 * i);
      const last = words(0xc000 | (dataAt + 1 + 2 * (count - 1)));
      return status(before, otherRecord(root, chain), otherRecord(last, Buffer.of(1)));
    };
    expect(chained(126)).toBe('NOERROR');
    expect(chained(127)).toBe('FORMERR');
  });
});

describe('an answer', () => {
  test('has the id, opcode, RD and CD of the query, and no RA', () => {
    const { id, flags } = client.ask(name, 'A', { id: 0xbeef, flags: 0x0110 });
    expect([id, flags]).toEqual([0xbeef, 'qr aa rd cd']);
    expect(client.ask(name, 'A', { flags: 0x06f0 }).flags, 'AA, TC, RA, Z and AD are not copied').toBe('qr aa cd');
    const refused = client.responder.respond(query(name, 'A', { flags: 0x2100 }), 'udp')!;
    expect([refused[2]! & 0x78, refused[3]! & 15]).toEqual([0x20, 4]);
  });

  test('repeats the question byte by byte, also when it is refused', () => {
    expect(client.ask('WWW.example.COM', 'AAAA')).toMatchObject({
      question: 'WWW.example.COM. AAAA 1',
      status: 'REFUSED',
    });
  });

  test('repeats no question that could not be read', () => {
    const answer = client.responder.respond(Buffer.concat([header(), words(0xc00c, 1, 1)]), 'udp')!;
    expect(Buffer.from(answer).toString('hex')).toBe('123481010000000000000000');
  });

  test('compresses names to the byte: RFC 1035 section 4.1.4', () => {
    const answer = client.responder.respond(query(name, 'A'), 'udp')!;
    expect(Buffer.from(answer.subarray(12 + question.length)).toString('hex')).toBe(
      'c00c00010001000000050004' + '0a600014',
    );
    const soa = client.responder.respond(query('Nobody.Cluster.local', 'A'), 'udp')!;
    // The owner leads to the question's last two labels; names in the data begin with their own and lead there too.
    expect(Buffer.from(soa.subarray(38)).toString('latin1')).toMatch(
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are bytes
      /^\xc0\x13\0\x06\0\x01....\0.\x02ns\x03dns\xc0\x13\x0ahostmaster\xc0\x13/s,
    );
  });

  test('leads to names that are themselves partly pointers', () => {
    const chain = 'alias-of-alias.default.svc.cluster.local';
    const { length, answers } = client.ask(chain, 'A');
    // Owner, fixed part, data: two bytes for a pointer, and a label before it where the name is new.
    const records = 2 + 10 + (6 + 2) + (2 + 10 + (4 + 2)) + (2 + 10 + 4);
    expect([answers.length, length]).toEqual([3, 12 + wireName(chain).length + 4 + records]);
  });

  test('has the target of an SRV whole, and leads to it later: RFC 2782', () => {
    const answer = client.responder.respond(query('_http._tcp.web.default.svc.cluster.local', 'SRV'), 'udp')!;
    expect(
      Buffer.from(answer).toString('latin1').split('\x03web\x07default\x03svc\x07cluster\x05local\0'),
    ).toHaveLength(3);
  });

  test('has EDNS only for who has it', () => {
    expect(client.ask(name, 'A').edns).toBeUndefined();
    const { edns, additional } = client.ask(name, 'A', { edns: 4096, dnssecOk: true });
    expect(edns).toMatchObject({ payloadLen: 1232, version: 0, dnssecOk: true });
    expect(additional).toEqual([]);
    expect(client.ask(name, 'A', { edns: 4096, ednsVersion: 1 })).toMatchObject({
      status: 'BADVERS',
      edns: { version: 0, dnssecOk: false },
      answers: [],
    });
  });
});

describe('DN-054 an answer that is too long', () => {
  const wideName = 'wide.default.svc.cluster.local';
  const many = wide(400);
  /** Header, question, and 16 bytes for each address. */
  const fixed = 12 + 1 + wideName.length + 1 + 4;

  test.each([
    [512, {}],
    [512, { edns: 1 }],
    [512, { edns: 512 }],
    [1232, { edns: 1232 }],
    [4096, { edns: 4096 }],
    [4096, { edns: 65_535 }],
  ])('fills %i bytes and says TC: %o', (limit, options) => {
    const { flags, answers, length, edns, status } = many.ask(wideName, 'A', options);
    const opt = 'edns' in options ? 11 : 0;
    expect({ flags, status }).toEqual({ flags: 'qr aa tc rd', status: 'NOERROR' });
    expect(answers).toHaveLength(Math.floor((limit - fixed - opt) / 16));
    expect(length).toBe(fixed + opt + 16 * answers.length);
    expect(edns !== undefined).toBe(opt > 0);
  });

  test('just fits, and is one byte too long', () => {
    const limit = fixed + 11 + 16 * 60;
    const sixty = wide(60);
    expect(sixty.ask(wideName, 'A', { edns: limit })).toMatchObject({ flags: 'qr aa rd', length: limit });
    expect(sixty.ask(wideName, 'A', { edns: limit - 1 })).toMatchObject({ flags: 'qr aa tc rd', length: limit - 16 });
  });

  test('is whole over TCP', () => {
    const { flags, answers } = many.ask(wideName, 'A', {}, 'tcp');
    expect([flags, answers.length]).toEqual(['qr aa rd', 400]);
  });

  test('is cut over TCP where 65535 bytes are not enough', () => {
    const { flags, answers, length } = wide(5000).ask(wideName, 'A', {}, 'tcp');
    expect([flags, answers.length]).toEqual(['qr aa tc rd', Math.floor((65_535 - fixed) / 16)]);
    expect(length).toBeLessThanOrEqual(65_535);
  });

  test('lacks addresses of targets without saying TC: RFC 2181 section 9', () => {
    const { flags, answers, additional, length } = wide(7).ask(`_http._tcp.${wideName}`, 'SRV');
    expect([flags, answers.length, length <= 512]).toEqual(['qr aa rd', 7, true]);
    expect(additional.length).toBeGreaterThan(0);
    expect(additional.length).toBeLessThan(7);
  });

  test('names beyond the reach of pointers are whole', () => {
    const { answers, additional } = wide(700).ask(`_http._tcp.${wideName}`, 'SRV', {}, 'tcp');
    expect(answers).toHaveLength(700);
    expect(new Set(answers.map((text) => text.split(' ').at(-1))).size).toBe(700);
    expect(additional.length).toBeGreaterThan(0);
  });
});
