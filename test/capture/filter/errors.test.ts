/** What is wrong with an expression is said once, with its column; whatever the expression is. */
import { describe, expect, test } from 'vitest';
import { compileFilter } from '../../../src/capture/filter/compile-filter.ts';
import { FilterError } from '../../../src/capture/filter/filter-error.ts';
import { type Random, withRandom } from '../../support/random.ts';

async function errorOf(text: string): Promise<FilterError> {
  const error = await compileFilter(text).catch((thrown: unknown) => thrown);
  if (!(error instanceof FilterError)) throw new Error(`${text.slice(0, 100)}: ${error}`);
  return error;
}

const messages: readonly (readonly [text: string, message: string | RegExp])[] = [
  ['hots 1.2.3.4', /^column 1: expected a primitive, .*, found "hots"; did you mean "host"\?$/],
  ['tcp AND udp', 'column 5: expected "and", "or" or the end, found "AND"; did you mean "and"?'],
  ['host web', 'column 6: expected an IPv4 or IPv6 address, found "web"'],
  ['host 10.244.0', 'column 6: expected an IPv4 or IPv6 address, found "10.244.0"; write "net" for a block'],
  ['host 10.244.0.02', /^column 6: expected an IPv4 or IPv6 address/],
  ['host 10.0.0.0/8', 'column 14: expected an address without a prefix length, found "/"; write "net" for a block'],
  ['host', 'column 5: expected an IPv4 or IPv6 address, found the end'],
  ['host tcp', 'column 6: expected an IPv4 or IPv6 address, found "tcp"'],
  ['host 0a:58:0a:f4:00:02', /found "0a:58:0a:f4:00:02"; write "ether host" for a MAC address$/],
  ['ether host 1.2.3.4', /^column 12: expected a MAC address, .* found "1\.2\.3\.4"$/],
  ['ip6 host 1.2.3.4', 'column 10: expected an IPv6 address after "ip6", found "1.2.3.4"'],
  ['arp host ::1', 'column 10: expected an IPv4 address after "arp", found "::1"'],
  ['host 1.2.3.4 and (port 80', 'column 18: expected ")" somewhere behind, found "("'],
  ['host 1.2.3.4)', 'column 13: expected what this closes in front of it, found ")"'],
  ['(tcp[13)]', /^column 8: expected what this closes/],
  ['arp and', /^column 8: expected a primitive, .*, found the end$/],
  ['and arp', /^column 1: expected a primitive, .*, found "and"$/],
  ['arp arp', 'column 5: expected "and", "or" or the end, found "arp"'],
  ['()', /^column 2: expected a primitive, .*, found "\)"$/],
  ['port 80 443', 'column 9: expected "and", "or" or the end, found "443"'],
  ['port 65536', 'column 6: expected a port, 0 to 65535, found "65536"'],
  ['port htpp', 'column 6: expected a port, 0 to 65535, found "htpp"; did you mean "http"?'],
  ['port 010', /^column 6: expected a port/],
  ['port 80-90', 'column 6: expected a port, 0 to 65535, found "80-90"; write "portrange" for several'],
  ['portrange 1-70000', 'column 11: expected two ports, such as 30000-32767, 0 to 65535, found "1-70000"'],
  ['udp port http', 'column 10: expected a port of udp, found "http"; "http" is one of tcp; write 80'],
  ['tcp host 1.2.3.4', 'column 5: expected something that "tcp" has, found "host"; write "tcp and host …"'],
  ['tcp src 1.2.3.4', 'column 9: expected something that "tcp" has, found "1.2.3.4"; write "tcp and src host …"'],
  ['ip port 80', 'column 4: expected something that "ip" has, found "port"; write "ip and port …"'],
  ['arp proto 1', /^column 5: expected something that "arp" has, found "proto"/],
  ['ether port 1', 'column 7: expected something that "ether" has, found "port"'],
  ['ether', /^column 6: expected "host", "src", .*, found the end$/],
  ['ip broadcast', /^column 4: expected something that "ip" has, found "broadcast"; a filter knows no netmask/],
  ['net 10.1.1.1/16', /^column 5: expected a block with no bits set behind its prefix, found "10\.1\.1\.1"/],
  ['net fd00::1/64', /^column 5: expected a block with no bits set/],
  ['net 10.1.0.0 mask 255.0.0.0', /^column 5: expected a block with no bits set/],
  ['net 10.0.0.0/33', 'column 14: expected a prefix length, 0 to 32, found "33"'],
  ['net ::/129', 'column 8: expected a prefix length, 0 to 128, found "129"'],
  ['net 10.0.0.256', /^column 5: expected a block, such as/],
  ['proto 256', 'column 7: expected a protocol, 0 to 255, found "256"'],
  ['proto tpc', 'column 7: expected a protocol, 0 to 255, found "tpc"; did you mean "tcp"?'],
  ['ether proto 70000', /^column 13: expected an EtherType/],
  ['less than', 'column 6: expected a number of bytes, found "than"'],
  ['vlan 3', 'column 1: expected another primitive, found "vlan"; podwire carries no VLAN tags'],
  ['arp or gateway web', /^column 8: expected another primitive, found "gateway"; it needs names/],
  ['ip6 protochain 6', /^column 5: expected another primitive, found "protochain"/],
  ['inbound', /^column 1: expected another primitive, found "inbound"/],
  ['outer:inner:arp', 'column 7: expected nothing of the other header behind "outer:", found "inner"'],
  ['inner:(arp or outer:ip)', 'column 15: expected nothing of the other header behind "inner:", found "outer"'],
  ['outer:', /^column 7: expected a primitive, .*, found the end$/],
  // Nothing is asked of a resolver, whatever libpcap would do.
  ['tcp[web] = 1', 'column 5: expected a number, or a word of byte arithmetic, found "web"'],
  ['decnet host web.example', /^column 13: expected a number, or a word of byte arithmetic/],
  ['atalk host 1e100.net', /^column 12: expected a number/],
  ['port 80 or "x"', 'column 12: expected a filter expression, found "\\""'],
  ['port\u0000 80', 'column 5: expected a filter expression, found "\\u0000"'],
  ['host 😀', 'column 6: expected a filter expression, found "😀"'],
  ['constructor', /^column 1: expected a primitive/],
  ['port __proto__', /^column 6: expected a port/],
  ['proto toString', /^column 7: expected a protocol/],
];

describe('the message for', () => {
  for (const [text, message] of messages) {
    test(text, async () => {
      const error = await errorOf(text);
      if (typeof message === 'string') expect(error.message).toBe(message);
      else expect(error.message).toMatch(message);
      expect(error.message).toContain(`column ${error.column}: expected ${error.expected}`);
    });
  }
});

describe('libpcap', () => {
  const text = 'arp or tcp[13] & 2 != 0 and ip';

  test('is not asked about what we know ourselves', async () => {
    const never = () => Promise.reject(new Error('loaded'));
    await compileFilter('host 10.244.0.2 and not (tcp port 80 or len > 100 or ether proto 0x0806)', never);
    await expect(compileFilter(text, never)).rejects.toThrow('loaded');
  });

  test('is named where it is missing, with the primitive that needs it', async () => {
    const error = await compileFilter(text, async () => () => undefined).catch(String);
    expect(error).toContain(
      'column 8: expected another primitive, found "tcp[13] & 2 != 0"; only libpcap knows this one; ' +
        'install libpcap (apt-get install libpcap0.8)',
    );
  });

  test('has its complaint passed on', async () => {
    const error = await compileFilter(text, async () => () => 'no, thanks').catch(String);
    expect(error).toContain('column 8: expected a primitive, found "tcp[13] & 2 != 0"; libpcap says: no, thanks');
  });
});

describe('hostile expressions', () => {
  const long = (text: string) => text.repeat(Math.ceil(100_000 / text.length));
  const balanced = `${'('.repeat(50_000)}arp${')'.repeat(50_000)}`;
  const arithmetic = `${'('.repeat(40_000)}1${')'.repeat(40_000)} = len`;
  const list: readonly (readonly [name: string, text: string])[] = [
    ...['(', ')', '[', '!', 'not ', 'and ', '-', '&', '\u0000', 'outer:', 'inner:(', 'a', '1', ':', '\\', '.', '/'].map(
      (text) => [`100 kB of ${JSON.stringify(text)}`, long(text)] as const,
    ),
    ['100 kB of parentheses around one primitive', balanced],
    ['100 kB of parentheses in arithmetic', arithmetic],
    ['100 kB of parentheses behind a port', `port ${'('.repeat(50_000)}80${')'.repeat(50_000)}`],
    ['100 kB of arithmetic', `${long('1+')}1 = len`],
    ['100 kB of primitives', `${long('arp or ')}arp`],
    ['100 kB of primitives, this way and that', `${long('arp or ip and ')}arp`],
    ['100 kB of ports', `port ${long('80 or ')}80`],
    ['100 kB of brackets', `${long('tcp[')}${']'.repeat(25_000)}`],
    ['10,000 comparisons of lengths', `${'len > 1 or '.repeat(10_000)}arp`],
  ];
  for (const [name, text] of list) {
    test(`${name}: an error, and soon`, async () => {
      await errorOf('warm up');
      const error = await errorOf(text);
      expect(error.message.length).toBeLessThan(300);
    });
  }

  test('a filter that is too long for one program says so', async () => {
    const ports = Array.from({ length: 200 }, (_, i) => `port ${i}`).join(' or ');
    expect((await errorOf(ports)).message).toBe('column 1: expected a filter of at most 4096 instructions');
  });

  test('as many primitives, and as many parentheses, as are allowed', async () => {
    expect(await compileFilter(`${'arp or ip and '.repeat(250)}arp`)).toBeInstanceOf(Int32Array);
    expect(await compileFilter(`${'('.repeat(100)}arp${')'.repeat(100)}`)).toBeInstanceOf(Int32Array);
    expect((await errorOf(`${'arp or ip and '.repeat(4000)}arp`)).message).toContain('at most 1000 primitives');
    expect((await errorOf(`${'1+'.repeat(600)}1 = len`)).message).toContain('at most 1000 characters');
    expect((await errorOf(`${'('.repeat(101)}arp${')'.repeat(101)}`)).message).toContain('at most 100 parentheses');
  });
});

const words = [
  ...[
    'host',
    'net',
    'port',
    'portrange',
    'src',
    'dst',
    'tcp',
    'udp',
    'ip',
    'ip6',
    'arp',
    'ether',
    'proto',
    'len',
    'mask',
  ],
  ...[
    'and',
    'or',
    'not',
    '!',
    '(',
    ')',
    '[',
    ']',
    'outer:',
    'inner:',
    '/',
    '=',
    '&',
    '-',
    '<',
    '!=',
    'less',
    'multicast',
  ],
  ...[
    '1.2.3.4',
    '10.1',
    '::1',
    'fd00::',
    '80',
    '8',
    '0x800',
    '00:11:22:33:44:55',
    '10-20',
    'http',
    'broadcast',
    'x',
    '\\ip',
  ],
];

test('any words in any order are a filter or a FilterError', () =>
  new Promise<void>((resolve, reject) => {
    withRandom((random: Random) => {
      const texts = Array.from({ length: 4000 }, () =>
        Array.from({ length: random.between(1, 9) }, () => random.pick(words)).join(random.once(4) ? '' : ' '),
      );
      Promise.all(texts.map((text) => compileFilter(text).catch((error: unknown) => surprise(text, error)))).then(
        (outcomes) => {
          expect(outcomes.filter((outcome) => outcome !== undefined).length).toBeGreaterThan(100);
          resolve();
        },
        reject,
      );
    });
  }));

function surprise(text: string, error: unknown): undefined {
  if (!(error instanceof FilterError)) throw new Error(`${text}: ${error}`);
}
