/** Every primitive on frames made by hand: what it takes, and what it leaves. */
import { describe, expect, test } from 'vitest';
import { compileFilter } from '../../../src/capture/filter/compile-filter.ts';
import { verifyFilter } from '../../../src/recording/filter-machine.ts';
import { arp } from '../../dataplane/link-frames.ts';
import { buildFrame, type FrameSpec } from '../../support/frames.ts';
import { missing } from '../../support/requires.ts';
import { accepts, plain, runOn, tunnelled } from './filtering.ts';

const [POD, PEER, OTHER] = ['10.244.0.2', '10.244.1.5', '10.9.9.9'];
const [POD6, PEER6] = ['fd00:10:244::2', 'fd00:10:244:1::5'];
const four = { source: POD, destination: PEER } as const;
const six = { source: POD6, destination: PEER6 } as const;
const ask = arp({ sourceMac: '0a:58:0a:f4:00:02', sender: POD, target: PEER });
/** RFC 903: the same with another type. */
const reverse = Uint8Array.from(ask, (byte, i) => [0x80, 0x35][i - 12] ?? byte);
const vxlanPort = { protocol: 'udp', destinationPort: 4789 } as const;

type Case = readonly [text: string, takes: FrameSpec | Uint8Array, leaves: FrameSpec | Uint8Array];

const cases: readonly Case[] = [
  ['', {}, Uint8Array.of()],
  // Addresses.
  [`host ${POD}`, four, { ...four, source: OTHER }],
  [`host ${PEER}`, four, { ...four, destination: OTHER }],
  [POD, four, { ...four, source: OTHER }],
  [`src host ${POD}`, four, { source: PEER, destination: POD }],
  [`src ${POD}`, four, { source: PEER, destination: POD }],
  [`dst ${PEER}`, four, { source: PEER, destination: POD }],
  [`src or dst host ${POD}`, four, { ...four, source: OTHER }],
  [`dst or src ${POD}`, { source: PEER, destination: POD }, { ...four, source: OTHER }],
  [`src and dst host ${POD}`, { source: POD, destination: POD }, four],
  [`host ${POD}`, ask, arp({ sourceMac: '0a:58:0a:f4:00:02', sender: OTHER, target: PEER })],
  [`dst host ${PEER}`, ask, arp({ sourceMac: '0a:58:0a:f4:00:02', sender: PEER, target: POD })],
  [`host ${POD}`, reverse, { ...four, source: OTHER }],
  [`ip host ${POD}`, four, ask],
  [`arp host ${POD}`, ask, four],
  [`rarp host ${POD}`, reverse, ask],
  [`host ${POD6}`, six, { ...six, source: 'fd00:10:244::3' }],
  [`ip6 src host ${POD6}`, six, { source: PEER6, destination: POD6 }],
  ['host ::ffff:10.244.0.2', { source: '::ffff:10.244.0.2', destination: PEER6 }, four],
  [`host ${PEER} or ${OTHER}`, four, { source: '10.9.9.8', destination: '10.9.9.7' }],
  [`host ${OTHER} or ${PEER}`, four, { source: '10.9.9.8', destination: '10.9.9.7' }],
  [`host (${OTHER} or ${PEER})`, four, { source: '10.9.9.8', destination: '10.9.9.7' }],
  [`host ${POD} and not ${PEER}`, { ...four, destination: OTHER }, four],
  [`not host ${POD}`, { ...four, source: OTHER }, four],
  // Blocks.
  ['net 10.244.0.0/16', four, { source: '10.243.0.1', destination: '10.245.0.1' }],
  ['net 10.244', four, { source: '10.243.0.1', destination: '10.245.0.1' }],
  ['net 10', four, { source: '11.0.0.1', destination: '192.168.0.1' }],
  ['net 10.244.0.0 mask 255.255.254.0', four, { source: '10.244.2.1', destination: OTHER }],
  ['src net 10.244.0.0/24', four, { source: PEER, destination: POD }],
  ['net 10.244.0.2/31', four, { source: '10.244.0.4', destination: OTHER }],
  ['net 10.244.0.2/32', four, { source: '10.244.0.3', destination: OTHER }],
  ['net 0.0.0.0/0', four, six],
  ['net fd00:10:244:1::/64', six, { source: POD6, destination: 'fd00:10:244:2::1' }],
  ['net fd00:10:240::/43', six, { source: 'fd00:10:260::1', destination: 'fd01::' }],
  ['net ::/0', six, four],
  ['arp net 10.244', ask, four],
  ['net 10.244', ask, arp({ sourceMac: '0a:58:0a:f4:00:02', sender: OTHER, target: OTHER })],
  // Ethernet.
  ['ether host 02:00:00:00:00:01', {}, { sourceMac: '02:00:00:00:00:03' }],
  ['ether src 02-00-00-00-00-01', {}, { sourceMac: '02:00:00:00:00:02', destinationMac: '02:00:00:00:00:01' }],
  ['ether dst host 2:0:0:0:0:2', {}, { destinationMac: '03:00:00:00:00:02' }],
  ['ether host 0200.0000.0001', {}, { sourceMac: '02:00:00:01:00:01' }],
  ['ether broadcast', ask, {}],
  ['broadcast', ask, { destinationMac: 'ff:ff:ff:ff:ff:fe' }],
  ['ether multicast', { destinationMac: '33:33:00:00:00:01' }, {}],
  ['multicast', ask, {}],
  ['ip multicast', { source: POD, destination: '224.0.0.251' }, { source: POD, destination: '223.255.255.255' }],
  ['ip6 multicast', { source: POD6, destination: 'ff02::1' }, { source: POD6, destination: 'fe80::1' }],
  ['ether proto 0x86dd', six, four],
  ['ether proto \\arp', ask, four],
  ['ether proto arp or ip6', six, four],
  // Protocols.
  ['ip', four, six],
  ['ip6', six, four],
  ['arp', ask, reverse],
  ['rarp', reverse, ask],
  ['tcp', four, { protocol: 'udp' }],
  ['udp', { protocol: 'udp' }, four],
  ['sctp', { ...six, protocol: 'sctp' }, six],
  ['icmp', { protocol: 'icmp' }, { ...six, protocol: 1, payload: 8 }],
  ['icmp6', { ...six, protocol: 'icmpv6' }, { protocol: 58, payload: 8 }],
  ['igmp', { protocol: 2, payload: 8 }, { ...six, protocol: 2, payload: 8 }],
  ['ip proto 6', four, six],
  ['ip6 proto \\tcp', six, four],
  ['proto tcp', six, { protocol: 'udp' }],
  ['ip proto 6 or 17', { protocol: 'udp' }, { protocol: 'icmp' }],
  ['tcp', { ...six, extensions: [{ type: 44, body: [0, 0, 0, 0, 0, 1] }] }, { ...six, protocol: 'udp' }],
  ['ip6', { ...six, extensions: [{ type: 60, body: [] }] }, four],
  ['not tcp', { ...six, extensions: [{ type: 60, body: [] }] }, six],
  // Ports.
  ['port 8080', four, { destinationPort: 8081 }],
  ['port 40000', six, { ...six, sourcePort: 1 }],
  ['src port 40000', four, { sourcePort: 1, destinationPort: 40_000 }],
  ['dst port 8080', four, { sourcePort: 8080, destinationPort: 40_000 }],
  ['src and dst port 7', { sourcePort: 7, destinationPort: 7 }, { sourcePort: 7 }],
  ['src or dst port 7', { sourcePort: 7 }, {}],
  ['tcp port 8080', four, { protocol: 'udp' }],
  ['udp dst port 8080', { protocol: 'udp' }, four],
  ['sctp port 8080', { protocol: 'sctp' }, four],
  ['port 8080', { protocol: 'sctp' }, { protocol: 'sctp', destinationPort: 1 }],
  ['port 8080', { ipOptions: [1, 1, 1, 1, 1] }, { ipOptions: [1, 1, 1], destinationPort: 1 }],
  ['port 8080', { moreFragments: true }, { fragmentOffset: 8 }],
  ['not port 8080', { fragmentOffset: 8 }, {}],
  ['not port 8080', { ...six, extensions: [{ type: 60, body: [] }] }, six],
  ['port 80 or 8080', four, { destinationPort: 443 }],
  ['port (80 or 8080)', four, { destinationPort: 443 }],
  ['port 80 or not (443 or 8080)', { destinationPort: 22 }, four],
  ['port not 443', four, { destinationPort: 443 }],
  ['port 0x1f90', four, { destinationPort: 80 }],
  ['port http', { destinationPort: 80 }, { protocol: 'udp', destinationPort: 80 }],
  ['port dns', { protocol: 'udp', destinationPort: 53 }, { protocol: 'udp', destinationPort: 54 }],
  ['port \\domain', { destinationPort: 53 }, {}],
  ['portrange 8000-8080', four, { destinationPort: 8081 }],
  ['tcp port 80 or udp port 53', { protocol: 'udp', destinationPort: 53 }, { protocol: 'udp', destinationPort: 80 }],
  ['tcp dst portrange 8080-8000', four, { destinationPort: 7999 }],
  ['portrange 8080', six, { ...six, destinationPort: 1 }],
  // Lengths.
  ['less 54', four, { payload: 1 }],
  ['greater 55', { payload: 1 }, four],
  ['len > 54', { payload: 1 }, four],
  ['len == 54', four, { payload: 1 }],
  ['length != 54', { payload: 1 }, four],
  ['len < 55 and len >= 54', four, { payload: 1 }],
  ['len <= 54', four, { payload: 1 }],
  // Connectives bind equally, from the left.
  ['ip or ip6 and port 1', { destinationPort: 1 }, four],
  ['ip or (ip6 and port 1)', four, six],
  ['ip and port 1 or ip6', six, four],
  ['ip && !port 1 || arp', four, { destinationPort: 1 }],
  ['not not not arp', four, ask],
  ['not (ip or arp)', six, ask],
  ['!(ip||arp)', six, four],
];

describe('a primitive', () => {
  for (const [text, takes, leaves] of cases) {
    test(text === '' ? 'none: everything' : text, async () => {
      const program = await compileFilter(text);
      expect(verifyFilter(program)).toBeUndefined();
      expect(runOn(program, plain(takes)), 'takes').toBe(true);
      expect(runOn(program, plain(leaves)), 'leaves').toBe(text === '');
    });
    test(`${text}: of the inner frame`, async () => {
      if (text === '' || text.startsWith('le') || text.startsWith('greater')) return;
      const program = await compileFilter(`inner:(${text})`);
      expect(runOn(program, tunnelled(takes)), 'takes').toBe(true);
      expect(runOn(program, tunnelled(leaves)), 'leaves').toBe(false);
    });
  }

  test('on a frame cut short rejects, and so does its opposite', async () => {
    const frame = buildFrame(four);
    for (const text of ['dst host 1.2.3.4', 'not dst host 1.2.3.4', 'port 1', 'not port 1', 'not udp and not port 1']) {
      for (const len of [0, 13, 14, 22, 29, 33]) {
        expect(await accepts(text, plain(frame.subarray(0, len))), `${text} ${len}`).toBe(false);
      }
    }
    expect(await accepts('not dst host 1.2.3.4', plain(frame.subarray(0, 34)))).toBe(true);
    expect(await accepts('not dst port 1', plain(frame.subarray(0, 38)))).toBe(true);
    expect(await accepts('not dst port 1', plain(frame.subarray(0, 37)))).toBe(false);
  });
});

describe('headers', () => {
  const inside = tunnelled(four);
  const outside = plain(four);
  const both: readonly (readonly [text: string, inTunnel: boolean, plainly: boolean])[] = [
    ['host 172.18.0.2', true, false],
    [`host ${POD}`, true, true],
    ['outer:host 172.18.0.2', true, false],
    ['inner:host 172.18.0.2', false, false],
    [`outer:host ${POD}`, false, false],
    [`inner:host ${POD}`, true, true],
    ['udp', true, false],
    ['tcp', true, true],
    ['udp and tcp', true, false],
    ['outer:tcp', false, false],
    ['inner:tcp', true, true],
    ['inner:udp', false, false],
    ['outer: udp port 4789 and inner: tcp port 8080', true, false],
    // `not` is of the whole: neither header.
    ['not host 172.18.0.2', false, true],
    [`not host ${POD}`, false, false],
    ['not udp', false, true],
    ['not outer:tcp', true, true],
    ['outer:not tcp', true, true],
    ['not inner:udp', true, true],
    ['not outer:udp', false, true],
    // A prefix in front of a parenthesis is of everything in it.
    ['outer:(udp and src 172.18.0.2)', true, false],
    ['inner:(udp or src 172.18.0.2)', false, false],
    ['inner:(not udp and (tcp or inner:arp))', true, true],
    [`host ${OTHER} or outer:172.18.0.3`, true, false],
    [`inner:host ${OTHER} or 172.18.0.3`, false, false],
    [`inner:host ${OTHER} or ${PEER}`, true, true],
    [`inner:host (${OTHER} or ${PEER})`, true, true],
    ['outer:ether src 02:70:ac:12:00:02', true, false],
    ['ether src 02:00:00:00:00:01', true, true],
    ['len == 54', true, true],
    ['len == 104', true, false],
    ['outer:len == 54', false, false],
    ['inner:len == 54', true, true],
    ['inner:greater 55', false, false],
    ['greater 55', true, false],
    ['', true, true],
  ];
  for (const [text, inTunnel, plainly] of both) {
    test(text, async () => {
      const program = await compileFilter(text);
      expect([runOn(program, inside), runOn(program, outside)]).toEqual([inTunnel, plainly]);
    });
  }

  test('a tunnelled frame with ports of its own in both', async () => {
    const frame = tunnelled({ ...vxlanPort, destinationPort: 53 });
    expect(await accepts('port 53 and port 4789', frame)).toBe(true);
    expect(await accepts('inner:(port 53 and port 4789)', frame)).toBe(false);
  });
});

describe.skipIf(missing('program:tcpdump'))('what libpcap compiles (needs libpcap)', () => {
  const synInside = tunnelled({ ...four, flags: 2 });
  const ackInside = tunnelled({ ...four, flags: 16 });
  const libpcaps: readonly (readonly [text: string, syn: boolean, ack: boolean, plainSyn: boolean])[] = [
    ['tcp[tcpflags] & tcp-syn != 0', true, false, true],
    ['inner:(tcp[13] & 2 != 0)', true, false, true],
    ['inner:tcp[13] & 2 != 0', true, false, true],
    ['outer:tcp[13] & 2 != 0', false, false, false],
    ['outer:udp[2:2] = 4789', true, true, false],
    ['udp[2:2] = 4789', true, true, false],
    ['not tcp[13] = 2', false, true, false],
    [`host ${POD} and (tcp[13] & 2 != 0 or port 1) and not arp`, true, false, true],
    ['(tcp[13] & 3) = 2 and (len - 50) > 3', true, false, true],
    ['(ip[0] & 0xf) * 4 = 20', true, true, true],
    ['ether[0] & 1 = 0 and ip[2:2] > 1000', false, false, false],
    ['ip[8] = 64 && ip[9] = 6', true, true, true],
    ['port 8080 or 6 = ip[9]', true, true, true],
    ['ether proto 300', false, false, false],
    ['ah or esp', false, false, false],
    // What A holds behind libpcap's part is not what it held in front of it.
    ['inner:(ip and tcp[13] & 2 != 0 and ip)', true, false, true],
    ['inner:(ip or tcp[13] & 2 != 0) and not (arp or tcp[13] = 2)', false, true, false],
  ];
  for (const [text, syn, ack, plainSyn] of libpcaps) {
    test(text, async () => {
      const program = await compileFilter(text);
      const plainFrame = plain({ ...four, flags: 2 });
      expect([synInside, ackInside, plainFrame].map((frame) => runOn(program, frame))).toEqual([syn, ack, plainSyn]);
    });
  }

  test('IEEE 802.3 frames by their service access point', async () => {
    const frame = (length: number, sap: number) => plain(Uint8Array.of(...new Uint8Array(12), 0, length, sap, sap, 3));
    expect(await accepts('ether proto 0x42', frame(3, 0x42))).toBe(true);
    expect(await accepts('ether proto \\stp', frame(3, 0x42))).toBe(true);
    expect(await accepts('ether proto 0x42', frame(0x42, 0xaa))).toBe(false);
  });

  test("what libpcap's optimizer takes for true", async () => {
    const text = 'tcp[4:4] & 0xffffffff != 0';
    const verdicts = [0, 1].map(async (sequence) => accepts(text, plain({ ...four, sequence })));
    expect(await Promise.all(verdicts)).toEqual([false, true]);
  });
});
