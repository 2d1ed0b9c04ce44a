/** Random filter expressions that libpcap takes as well, about addresses and ports that random frames have. */

import { arp } from '../../dataplane/link-frames.ts';
import { buildFrame, type FrameSpec, type ProtocolName, protocolNumbers } from '../../support/frames.ts';
import type { Random } from '../../support/random.ts';
import { randomSpec } from '../../support/random-frames.ts';

const four = ['10.244.0.2', '10.244.1.5', '10.9.9.9', '192.168.1.1', '224.0.0.251'];
const six = ['fd00:10:244::2', 'fd00:10:244:1::5', 'fe80::1', 'ff02::1'];
const macs = ['02:00:00:00:00:01', '02:00:00:00:00:02', '33:33:00:00:00:01', 'ff:ff:ff:ff:ff:ff'];
const ports = [53, 80, 443, 8080, 40_000];
const blocks = [
  '10.244.0.0/16',
  '10.244.0.0/23',
  '10',
  '10.244.1',
  '192.168',
  '10.9.9.9/32',
  '10.244.0.0/15',
  '224.0.0.0/4',
];
const blocks6 = ['fd00:10:244::/48', 'fd00:10:244::/63', 'fe80::/10', 'ff00::/8', 'fd00:10:244::2/127'];
const directions = ['', '', '', 'src', 'dst', 'src or dst', 'dst or src', 'src and dst', 'dst and src'];

const words = (...list: readonly string[]) => list.filter((word) => word !== '').join(' ');

type Make = (random: Random) => string;

function addresses(random: Random): string {
  const protocol = random.pick(['', '', 'ip', 'arp', 'rarp', 'ip6']);
  const family = protocol === 'ip6' || (protocol === '' && random.once(3)) ? 6 : 4;
  const direction = random.pick(directions);
  if (random.once(2)) return words(protocol, direction, 'net', random.pick(family === 6 ? blocks6 : blocks));
  const list = family === 6 ? six : four;
  const type = direction === '' || random.once(2) ? 'host' : '';
  return words(
    protocol,
    direction,
    type,
    operands(random, () => random.pick(list)),
  );
}

/** One operand, or several in parentheses or behind each other. */
function operands(random: Random, one: () => string): string {
  const joined = (count: number) => {
    const list = Array.from({ length: count }, () => `${random.once(5) ? 'not ' : ''}${one()}`);
    return list.map((text, i) => (i === 0 ? text : `${random.pick(['or', 'or', 'and', '||'])} ${text}`)).join(' ');
  };
  if (random.once(4)) return `(${joined(random.between(2, 3)).replace(/^not /, '')})`;
  return random.once(4) ? joined(2).replace(/^not /, '') : one();
}

function portsOf(random: Random): string {
  const head = words(random.pick(['', '', 'tcp', 'udp', 'sctp']), random.pick(directions));
  if (random.once(3))
    return words(head, 'portrange', random.pick(['1-1023', '80-443', '30000-65535', '443-80', '8080']));
  return words(
    head,
    'port',
    operands(random, () => `${random.pick(ports)}`),
  );
}

const protocols = ['ip', 'ip6', 'arp', 'rarp', 'tcp', 'udp', 'sctp', 'icmp', 'icmp6', 'igmp'];
const fixed = [
  ...[
    'ether broadcast',
    'ether multicast',
    'broadcast',
    'multicast',
    'ip multicast',
    'ip6 multicast',
    'ether proto \\ip',
  ],
  ...[
    'ether proto 0x86dd',
    'ether proto \\arp or 0x8035',
    'ip proto 6',
    'ip proto \\udp or 132',
    'ip6 proto 17',
    'proto 58',
  ],
  ...['ip6 proto 58 or 6', 'less 80', 'greater 90', 'len > 70', 'len <= 100', 'len = 54', 'length != 60'],
];
const primitives: readonly Make[] = [
  addresses,
  addresses,
  portsOf,
  portsOf,
  (random) => random.pick(protocols),
  (random) => random.pick(fixed),
  (random) =>
    words('ether', random.pick(directions), random.once(2) ? 'host' : '', random.pick(macs)).replace(
      /^ether (?=\d|f)/,
      'ether host ',
    ),
];

/** What only libpcap compiles; ours hands it over. */
const arithmetic = [
  ...[
    'tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn',
    'ip[8] > 100',
    'ether[0] & 1 != 0',
    'udp[4:2] - 8 >= 20',
    'ip[6:2] & 0x1fff = 0',
  ],
  ...[
    '(ip[0] & 0xf) * 4 + 20 < len',
    'len / 7 % 3 = 1',
    'ip6[7] << 2 > 0x100',
    'icmp[icmptype] = icmp-echo',
    '(tcp[12] >> 4) * 4 > 20',
  ],
  ...['ip[16:4] & 0xffff0000 = 0x0af40000', '-len + 100 < 50', 'ah', 'pim or esp', 'llc'],
];

/** @param withArithmetic also what libpcap is asked about. */
export function randomExpression(random: Random, withArithmetic: boolean, depth = 0): string {
  const one = (): string => {
    const sign = random.once(5) ? random.pick(['not ', '!', 'not not ']) : '';
    if (depth < 3 && random.once(4)) return `${sign}(${randomExpression(random, withArithmetic, depth + 1)})`;
    if (withArithmetic && random.once(4)) return `${sign}${random.pick(arithmetic)}`;
    return `${sign}${random.pick(primitives)(random)}`;
  };
  let text = one();
  for (let more = random.below(3); more > 0; more--) text += ` ${random.pick(['and', 'or', '&&', '||'])} ${one()}`;
  return text;
}

/** A frame that may well be meant by such an expression. */
export function randomFrame(random: Random): Uint8Array {
  const mac = () => random.pick(macs);
  if (random.once(8)) {
    const frame = arp({
      sourceMac: mac(),
      destinationMac: mac(),
      sender: random.pick(four),
      target: random.pick(four),
    });
    if (random.once(3)) frame.set([0x80, 0x35], 12);
    return frame;
  }
  const version = random.once(3) ? 6 : 4;
  const names = Object.keys(protocolNumbers) as ProtocolName[];
  const name = random.pick(names.filter((protocol) => protocol !== (version === 4 ? 'icmpv6' : 'icmp')));
  const list = version === 4 ? four : six;
  const port = () => (random.once(5) ? random.below(0x10000) : random.pick(ports));
  const spec: FrameSpec = {
    ...randomSpec(random, name, version),
    ...{ source: random.pick(list), destination: random.pick(list), sourcePort: port(), destinationPort: port() },
    ...{ sourceMac: mac(), destinationMac: mac() },
    ...(random.once(8) ? { protocol: random.pick([2, 50, 51, 103, 44]), extensions: [], payload: 16 } : {}),
    ...(random.once(6) && version === 4 ? { fragmentOffset: 8 * random.below(3), moreFragments: random.once(2) } : {}),
    ...(random.once(6) && version === 6 ? { extensions: [{ type: 44, body: [0, 0, 0, 0, 0, 1] }] } : {}),
    ...(random.once(20) ? { etherType: random.below(0x10000) } : {}),
  };
  return buildFrame(spec);
}
