/**
 * Hostile inputs by the port that each was made for: what became of it here, at a Linux host, and what would be safe.
 * Every difference has its reason in `hostile-deviations.ts`; one without a reason fails, and so does a reason without
 * a difference.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { missing } from '../support/requires.ts';
import { askingTheNode, type Cause, type Fate, type HostileCase, hostileCases } from './hostile-cases.ts';
import { deviations, otherCauses } from './hostile-deviations.ts';
import { feeds, type Origin, Rig, virtioStates } from './hostile-world.ts';

const sameCauses: Readonly<Record<Cause, readonly string[]>> = {
  'IP checksum': ['BadIpChecksum'],
  checksum: ['BadL4Checksum'],
  fragments: ['FragmentOverlap', 'BadFragment'],
  'IP header': ['BadIpHeader', 'SourceRouted', 'MartianAddress', 'BadFragment'],
  address: ['NoRoute', 'NoSuchPod'],
  'transport header': ['BadL4Header'],
  tunnel: ['BadIpHeader', 'EcnCongestion'],
};

interface Judged extends HostileCase {
  readonly ours: Fate;
  /** How the story of its last frame ended. */
  readonly outcome: string;
}

/** Tells the story of each frame on a new node. */
function judged(one: HostileCase, origin: Origin): Judged {
  const rig = new Rig(origin);
  const { world } = rig;
  let outcome = '';
  for (const frame of askingTheNode(one)) {
    outcome = feeds[origin]!.feed(rig, frame, virtioStates['unverified']!);
    world.nowMs++;
  }
  world.balance();
  return { ...one, outcome, ours: fate(rig, origin) };
}

function fate({ world }: Rig, origin: Origin): Fate {
  if (world.ports.api.count > 0) return 'delivered';
  if (world.errors > 0) return 'told';
  const attacker = origin === 'the host' ? world.ports.host : world.ports.web;
  return attacker.count > 0 ? 'answered' : 'dropped';
}

/** The deviation that a case is listed under for this port. */
function listed({ label }: Judged, origin: Origin) {
  return deviations.find(({ cases, from }) => cases.includes(label) && (from === undefined || from.includes(origin)));
}

const origins: readonly Origin[] = ['a pod', 'the host', 'the underlay'];
const all = new Map<Origin, Judged[]>();

describe.skipIf(missing('testdata'))('hostile inputs (needs PODWIRE_TESTDATA)', () => {
  beforeAll(async () => {
    const cases = await hostileCases();
    for (const origin of origins) {
      const made = cases.filter(({ category }) => (category === 'vxlan') === (origin === 'the underlay'));
      all.set(
        origin,
        made.map((one) => judged(one, origin)),
      );
    }
  });

  test('are all there', () => {
    expect(origins.map((origin) => all.get(origin)!.length)).toEqual([166, 166, 23]);
    for (const { label, frames } of all.get('a pod')!) expect(frames.length, label).toBeGreaterThan(0);
  });

  test.each(origins)('from %s end as at a Linux host, or for a reason that is known', (origin) => {
    const cases = all.get(origin)!;
    print(origin, cases);
    const surprises = cases.flatMap((one) => {
      const reason = listed(one, origin);
      if (one.ours === one.linux && one.safe.includes(one.ours))
        return reason === undefined ? [] : [`${one.label}: no deviation`];
      if (reason?.ours === one.outcome) return [];
      return [`${one.label}: ${one.ours} (${one.outcome}), Linux: ${one.linux}, safe: ${one.safe.join(' or ')}`];
    });
    expect(surprises).toEqual([]);
  });

  test.each(origins)('from %s are dropped for the cause that Linux counts', (origin) => {
    const counted = all.get(origin)!.filter(({ cause, ours }) => cause !== undefined && ours !== 'delivered');
    const others = counted.filter(
      ({ cause, outcome }) => !sameCauses[cause!].includes(outcome.replace('dropped: ', '')),
    );
    process.stdout.write(
      `from ${origin}: ${counted.length - others.length} of ${counted.length} for the cause that Linux counts\n`,
    );
    const unexplained = others.filter(({ label }) => otherCauses[label] === undefined);
    expect(unexplained.map(({ label, cause, outcome }) => `${label}: ${outcome}, Linux: ${cause}`)).toEqual([]);
  });

  test('every listed deviation names a case that is there', () => {
    const labels = new Set(origins.flatMap((origin) => all.get(origin)!.map(({ label }) => label)));
    const listedLabels = [...deviations.flatMap(({ cases }) => cases), ...Object.keys(otherCauses)];
    expect(listedLabels.filter((label) => !labels.has(label))).toEqual([]);
  });
});

/** How many end in each way here (rows) and at Linux (columns), and how many agree. */
function print(origin: Origin, cases: readonly Judged[]): void {
  const fates: readonly Fate[] = ['delivered', 'answered', 'told', 'dropped'];
  const count = (ours: Fate, linux: Fate) => cases.filter((one) => one.ours === ours && one.linux === linux).length;
  const row = (name: string, cells: readonly (number | string)[]) =>
    [name.padEnd(30), ...cells.map((cell) => `${cell}`.padStart(10))].join('');
  const share = (agrees: (one: Judged) => boolean) =>
    `${((cases.filter(agrees).length / cases.length) * 100).toFixed(1)} %`;
  const passes = (fate: Fate) => fate === 'delivered' || fate === 'answered';
  const lines = [
    row(`from ${origin}; at Linux:`, fates),
    ...fates.map((ours) =>
      row(
        `  ${ours} here`,
        fates.map((linux) => count(ours, linux)),
      ),
    ),
    `  of ${cases.length}: as Linux ${share(({ ours, linux }) => ours === linux)}`,
    `stopped or let through as Linux ${share(({ ours, linux }) => passes(ours) === passes(linux))}`,
    `safe ${share(({ ours, safe }) => safe.includes(ours))}`,
  ];
  process.stdout.write(`${lines.slice(0, 5).join('\n')}\n${lines.slice(5).join(', ')}\n`);
}
