/**
 * The kernel is the judge of our connection tracking: the same packets through a Linux router and through our table.
 * Class, direction, SEEN_REPLY and ASSURED of every packet must be the same, and the lifetime of its connection, which
 * tells the state. `PODWIRE_PACKETS=1000000` makes it 200,000.
 *
 * Not asked: what time does (the kernel's cannot be made to pass), translation, full tables; TCP in SYN_SENT2, whose
 * lifetime is that of SYN_SENT; UDP-Lite, which Linux tracks by its ports and we by addresses alone. Where kube-proxy
 * or podwire differ from Linux, the router is set up like them (time-outs of ESTABLISHED and CLOSE_WAIT, CT-010) or
 * lets pass what we drop (INVALID); what else differs is in `deviations`.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { randomScript, type Step } from '../conntrack/scripts.ts';
import { type Difference, frameOf, readable, shortest } from '../conntrack/scripts-run.ts';
import type { SlowPacket } from '../oracle/slow-packet.ts';
import { PACKETS } from '../support/packets.ts';
import { Random, withRandom } from '../support/random.ts';
import { missing } from '../support/requires.ts';
import { cases, deviations, inFamily } from './kernel-conntrack-cases.ts';
import { KernelPair } from './kernel-conntrack-pair.ts';
import { KernelRouter, LIFETIMES_S } from './kernel-conntrack-router.ts';
import { smallScript } from './kernel-conntrack-small.ts';
import { describeUnless } from './skipping.ts';

const COUNT = PACKETS / 5;
const timeout = 3_600_000;
/** Longer than this no script may take, or the kernel's time-outs would have a say: a UDP stream is two seconds old. */
const SCRIPT_MS = 1500;

const lacks = missing('linux', 'root', 'tun', 'program:ip', 'program:nft');

/** Changes since Linux 6.18 that its stable releases have, and we; other kernels are not asked about these packets. */
const commits: Readonly<Record<string, (packet: SlowPacket) => boolean>> = {
  '576a5d2bad48': ({ protocol }) => protocol === 'sctp', // "netfilter: skip recording stale or retransmitted INIT"
  bed6e04be8e6: (packet) => packet.protocol === 'tcp' && packet.flags.includes('R'), // RSTs of the SYN's own side
};

const protocols = ['tcp', 'udp', 'sctp', 'icmp', 'icmpv6', '47', '50'] as const;
const mustBeSaid = [
  ...protocols.flatMap((protocol) => [`${protocol} begins`, `${protocol} established`]),
  ...['tcp new', 'udp new', 'sctp new', 'icmp related', 'icmpv6 related'],
  ...['tcp invalid', 'sctp invalid', 'icmp invalid', 'icmpv6 invalid'],
  // SYN_SENT, SYN_RECV, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, CLOSE, and 300 s (CT-009)
  ...[120, 60, 86_400, 130, 3600, 30, 140, 10, 300].map((s) => `tcp < ${s + 1} s`),
  ...[20, 40, 50, 210, 70, 80, 90, 100].map((s) => `sctp < ${s + 1} s`),
];

const mustBeSaidOfSmall = mustBeSaid.filter((what) => /^(tcp|sctp) /.test(what));

describeUnless(lacks, 'nf_conntrack of this kernel', () => {
  let router: KernelRouter;
  /** How often the kernel has said what. */
  const said = new Map<string, number>();

  beforeAll(() => {
    router = new KernelRouter();
  });

  afterAll(() => {
    router?.close();
  });

  function play(script: readonly Step[]): Difference | undefined {
    const pair = new KernelPair(router);
    for (const [at, { packet }] of script.entries()) {
      const { seen, difference } = pair.take(frameOf(packet));
      if (difference !== undefined) return { at, what: difference };
      for (const what of [seen.kernelClass, `< ${LIFETIMES_S[seen.lifetime]} s`]) {
        const key = `${packet.protocol} ${what}`;
        said.set(key, (said.get(key) ?? 0) + 1);
      }
    }
    return undefined;
  }

  /** Plays it again when the machine was too slow. */
  function differs(script: readonly Step[]): Difference | undefined {
    for (;;) {
      const began = performance.now();
      const difference = play(script);
      if (performance.now() - began < SCRIPT_MS) return difference;
    }
  }

  /** Does the kernel call the last packet of the case what it should? @param version of IP */
  function agrees({ packets, spoilt, says }: (typeof cases)[number], version: 4 | 6): boolean {
    router.flush();
    const sightings = packets.map((packet, i) => {
      const last = i === packets.length - 1;
      return router.cross(inFamily(version, packet), spoilt && last ? spoil : undefined);
    });
    return sightings.at(-1)!.kernelClass === says;
  }

  for (const each of cases) {
    for (const version of [4, 6] as const) {
      test(`${each.name} (IPv${version}): ${each.says}`, (context) => {
        if (each.commit !== undefined && !agrees(each, version)) context.skip(`kernel without ${each.commit}`);
        const pair = new KernelPair(router);
        const { packets, spoilt, says, after = [] } = each;
        for (const [i, packet] of [...packets, ...after].entries()) {
          const last = i === packets.length - 1;
          const { seen, difference } = pair.take(inFamily(version, packet), spoilt && last ? spoil : undefined);
          expect(difference, `packet ${i + 1}`).toBeUndefined();
          if (last) expect(seen.kernelClass).toBe(says);
        }
      });
    }
  }

  for (const { name, version, packets, says, weSay } of deviations) {
    test(name, () => {
      const pair = new KernelPair(router);
      const { seen, difference } = packets.map((packet) => pair.take(inFamily(version, packet))).at(-1)!;
      expect(seen.kernelClass).toBe(says);
      expect(difference).toContain(`we say kernelClass ${weSay}`);
    });
  }

  const worlds: readonly [name: string, script: (random: Random) => Step[], mustBeSaid: readonly string[]][] = [
    ['of random scripts', (random) => randomScript(random, false, false), mustBeSaid],
    ['of a small world', smallScript, mustBeSaidOfSmall],
  ];
  for (const [name, scriptOf, must] of worlds) {
    test(`CT-001 to CT-048: ${COUNT} packets ${name} are what the kernel takes them for`, { timeout }, () =>
      withRandom((random) => {
        const lacking = cases
          .filter((each) => each.commit !== undefined && !agrees(each, 4))
          .map(({ commit }) => commit!);
        const asked = ({ packet }: Step) => !lacking.some((commit) => commits[commit]!(packet));
        said.clear();
        let packets = 0;
        while (packets < COUNT) {
          const seed = random.word();
          const script = scriptOf(new Random(seed)).filter(asked);
          packets += script.length;
          if (differs(script) === undefined) continue;
          const short = shortest(script, differs);
          expect.fail(`script ${seed}: ${differs(short)?.what}, after\n${readable(short)}\n`);
        }
        process.stdout.write(`${packets} packets ${name}, judged by this kernel: ${counts(said)}; all the same here\n`);
        if (lacking.length > 0 || COUNT < 40_000) return; // fewer do not meet everything
        for (const what of must) expect(said.get(what) ?? 0, what).toBeGreaterThan(0);
      }),
    );
  }
});

/** Changes the last byte, which every checksum covers. */
function spoil(bytes: Uint8Array): void {
  bytes[bytes.length - 1]! ^= 0xff;
}

function counts(said: ReadonlyMap<string, number>): string {
  return ['begins', 'new', 'established', 'related', 'invalid']
    .map((name) => [name, [...said].reduce((sum, [key, n]) => sum + (key.endsWith(` ${name}`) ? n : 0), 0)] as const)
    .map(([name, n]) => `${n} ${name}`)
    .join(', ');
}
