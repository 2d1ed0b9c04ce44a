/** ICMP: questions and answers are flows, errors belong to the flow that they quote. */
import { describe, expect, test } from 'vitest';
import { buildFrame, type FrameSpec } from '../support/frames.ts';
import { ACK, CLIENT, reply, SECOND, SERVER, SYN, Tracker } from './tracker.ts';

const echo = { protocol: 'icmp', source: CLIENT, destination: SERVER } as const;
const echo6 = { protocol: 'icmpv6', source: 'fd00::1', destination: 'fd00::2' } as const;

describe('what may begin a flow', () => {
  const requests = new Set([8, 13, 15, 17]);
  test('CT-042, CT-044 of all 256 types only the four requests, of ICMPv6 echo and node information', () => {
    for (let icmpType = 0; icmpType < 256; icmpType++) {
      const want = requests.has(icmpType) ? 'new' : 'dropped: Invalid';
      expect(new Tracker().send({ ...echo, icmpType, payload: 8 }), `type ${icmpType}`).toBe(want);
      const want6 = icmpType === 128 || icmpType === 139 ? 'new' : 'dropped: Invalid';
      expect(new Tracker().send({ ...echo6, icmpType, payload: 8 }), `ICMPv6 type ${icmpType}`).toBe(want6);
    }
  });

  test("CT-042 the other family's ICMP is no question, whatever its bytes say", () => {
    for (const icmpType of [8, 128]) {
      const four = { ...echo, protocol: 'icmpv6', icmpType, checksum: 'unverified' } as const;
      expect(new Tracker().send(four), `ICMPv6 type ${icmpType} over IPv4`).toBe('dropped: Invalid');
      const six = { ...echo6, protocol: 'icmp', icmpType, checksum: 'unverified' } as const;
      expect(new Tracker().send(six), `ICMP type ${icmpType} over IPv6`).toBe('dropped: Invalid');
    }
  });

  test('CT-042 nor does the byte behind an empty one decide', () => {
    const bytes = buildFrame({ source: 'fd00::1', destination: 'fd00::2', protocol: 50 });
    bytes[20] = 1; // next header: ICMP
    for (const behind of [8, 128]) {
      const tracker = new Tracker();
      tracker.pkt.arena.bytes.fill(behind, tracker.pkt.at, tracker.pkt.at + 200);
      expect(tracker.sendBytes(bytes)).toBe('dropped: Invalid');
    }
  });
});

describe('question and answer', () => {
  for (const [request, answer] of [
    [8, 0],
    [13, 14],
    [15, 16],
    [17, 18],
  ] as const) {
    test(`CT-043 type ${answer} answers type ${request}`, () => {
      const tracker = new Tracker();
      tracker.send({ ...echo, icmpType: request });
      expect(tracker.send(reply({ ...echo, icmpType: answer }))).toBe('known');
      expect(tracker.pkt.direction).toBe(1);
    });
  }

  test('CT-043 the identifier, the code and the type must fit', () => {
    const tracker = new Tracker();
    tracker.send({ ...echo, identifier: 5, icmpCode: 1 });
    const answer = reply({ ...echo, icmpType: 0, identifier: 5, icmpCode: 1 });
    expect(tracker.send({ ...answer, identifier: 6 })).toBe('dropped: Invalid');
    expect(tracker.send({ ...answer, icmpCode: 0 })).toBe('dropped: Invalid');
    expect(tracker.send({ ...answer, icmpType: 14 })).toBe('dropped: Invalid');
    expect(tracker.send({ ...answer, icmpSequence: 99 })).toBe('known');
  });

  test('CT-043 in ICMPv6', () => {
    const tracker = new Tracker();
    tracker.send(echo6);
    expect(tracker.send(reply({ ...echo6, icmpType: 129, identifier: 78 }))).toBe('dropped: Invalid');
    expect(tracker.send(reply({ ...echo6, icmpType: 129 }))).toBe('known');
  });

  test('CT-042 an answer before its question is INVALID, both families', () => {
    expect(new Tracker().send({ ...echo, icmpType: 0 })).toBe('dropped: Invalid');
    expect(new Tracker().send({ ...echo6, icmpType: 129 })).toBe('dropped: Invalid');
  });
});

const ROUTER = '10.9.9.9';
const ROUTER6 = 'fd00::9';

/** An error of a router about a packet, to whoever sent the packet. */
function errorAbout(about: FrameSpec, error: FrameSpec = {}): FrameSpec {
  const ipv6 = about.source!.includes(':');
  const [source, protocol, icmpType] = ipv6 ? ([ROUTER6, 'icmpv6', 1] as const) : ([ROUTER, 'icmp', 3] as const);
  const quote = { payload: buildFrame(about).slice(14), identifier: 0, icmpSequence: 0 };
  return { source, protocol, icmpType, destination: about.source!, ...quote, ...error };
}

const flows: Readonly<Record<string, FrameSpec>> = {
  TCP: { source: CLIENT, destination: SERVER, flags: SYN },
  UDP: { source: CLIENT, destination: SERVER, protocol: 'udp' },
  SCTP: { source: CLIENT, destination: SERVER, protocol: 'sctp' },
  ping: echo,
  'another protocol': { source: CLIENT, destination: SERVER, protocol: 50, payload: 8 },
  'TCP over IPv6': { source: 'fd00::1', destination: 'fd00::2', flags: SYN },
  'UDP over IPv6': { source: 'fd00::1', destination: 'fd00::2', protocol: 'udp' },
  'ICMPv6 ping': echo6,
};

describe('errors', () => {
  for (const [name, flow] of Object.entries(flows)) {
    test(`CT-045 about ${name}: related when the flow is known, INVALID when not`, () => {
      const tracker = new Tracker();
      expect(tracker.send(errorAbout(flow))).toBe('dropped: Invalid');
      tracker.send(flow);
      expect(tracker.send(errorAbout(flow))).toBe('related');
      const back = name.includes('ping') ? { ...reply(flow), icmpType: name === 'ping' ? 0 : 129 } : reply(flow);
      expect(tracker.send(errorAbout(back)), 'about a reply').toBe('related');
    });

    test(`CT-046 about ${name}: state, time and counts of the flow stay`, () => {
      const tracker = new Tracker();
      tracker.send(flow);
      const { connections } = tracker;
      const before = [connections.state[0], connections.flags[0], connections.deadlineMs[0], connections.count];
      tracker.nowMs += 10 * SECOND;
      tracker.send(errorAbout(flow));
      tracker.send(errorAbout({ ...flow, source: flow.destination!, destination: flow.source! }));
      const now = [connections.state[0], connections.flags[0], connections.deadlineMs[0], connections.count];
      expect(now).toEqual(before);
    });

    test(`CT-045 about ${name}: the error must go to the side that sent the quoted packet`, () => {
      const tracker = new Tracker();
      tracker.send(flow);
      const stranger = flow.source!.includes(':') ? 'fd00::3' : '10.1.0.3';
      expect(tracker.send(errorAbout(flow, { destination: stranger }))).toBe('dropped: Invalid');
      expect(tracker.send(errorAbout(flow, { destination: flow.destination! }))).toBe('dropped: Invalid');
    });
  }

  test('CT-045 every error type, and no other', () => {
    for (const [flow, errors] of [
      [flows['UDP']!, [3, 4, 5, 11, 12]],
      [flows['UDP over IPv6']!, [1, 2, 3, 4]],
    ] as const) {
      for (const icmpType of errors) {
        const tracker = new Tracker();
        tracker.send(flow);
        expect(tracker.send(errorAbout(flow, { icmpType })), `type ${icmpType}`).toBe('related');
      }
    }
    const tracker = new Tracker();
    tracker.send(flows['UDP']!);
    for (const icmpType of [0, 1, 2, 6, 7, 9, 10, 14, 18, 19, 255]) {
      expect(tracker.send(errorAbout(flows['UDP']!, { icmpType }))).toBe('dropped: Invalid');
    }
  });

  test('CT-045 a quote that is cut short, at every length', () => {
    for (const flow of [flows['UDP']!, flows['UDP over IPv6']!]) {
      const quote = buildFrame(flow).slice(14);
      const enough = quote.length; // the header and eight bytes
      for (let length = 0; length <= enough; length++) {
        const tracker = new Tracker();
        tracker.send(flow);
        const got = tracker.send(errorAbout(flow, { payload: quote.slice(0, length) }));
        expect(got, `${length} bytes`).toBe(length < enough ? 'dropped: Invalid' : 'related');
      }
    }
  });

  test('CT-045 a quoted later fragment has no ports', () => {
    const tracker = new Tracker();
    const flow = flows['UDP']!;
    tracker.send(flow);
    const quote = (fragmentOffset: number) => buildFrame({ ...flow, fragmentOffset, payload: 8 }).slice(14);
    expect(tracker.send(errorAbout(flow, { payload: quote(8) }))).toBe('dropped: Invalid');
    expect(tracker.send(errorAbout(flow, { payload: quote(0) }))).toBe('related');
  });

  test('CT-045 an error about an error is about no flow', () => {
    const tracker = new Tracker();
    const flow = flows['UDP']!;
    tracker.send(flow);
    const first = errorAbout(flow);
    const quoting = { payload: buildFrame(first).slice(14), destination: ROUTER };
    expect(tracker.send(errorAbout(flow, quoting))).toBe('dropped: Invalid');
  });

  test('CT-045 a flow whose time is over is not known, swept or not', () => {
    const tracker = new Tracker();
    const flow = flows['UDP']!;
    tracker.send(flow);
    tracker.nowMs += 30 * SECOND;
    expect(tracker.send(errorAbout(flow))).toBe('dropped: Invalid');
  });

  test('CT-075, CT-076 about a translated flow: related, but for a redirect', () => {
    const tracker = new Tracker({ translations: { '10.96.0.1/80': '10.1.1.5/8080' } });
    tracker.send({ source: CLIENT, destination: '10.96.0.1', destinationPort: 80, flags: ACK });
    const seen = { source: CLIENT, destination: SERVER, destinationPort: 8080, flags: ACK };
    expect(tracker.send(errorAbout(seen))).toBe('related');
    expect(tracker.send(errorAbout(seen, { icmpType: 5 }))).toBe('dropped: Invalid');
    const answer = { ...reply(seen), source: '10.96.0.1', sourcePort: 80 };
    expect(tracker.send(errorAbout(answer))).toBe('related');
    expect(tracker.send(errorAbout(reply(seen)))).toBe('dropped: Invalid'); // as nobody ever saw it
  });
});
