/** What recordings say of packets that policies denied: comments, and flow records. */
import { describe, expect, test } from 'vitest';
import { Denials } from '../../src/capture/denials.ts';
import { verdictWords } from '../../src/capture/verdict-words.ts';
import type { CaptureScene } from '../../src/cluster/capture-scene.ts';
import { FlowNames } from '../../src/events/flow-names.ts';
import { type FlowRecord, flowRecord } from '../../src/events/flow-record.ts';
import { compactLine, dictBlock } from '../../src/events/flow-text.ts';
import { Drop, dropReasons } from '../../src/packet/outcome.ts';
import type { Sighting } from '../../src/recording/sighting.ts';
import { askCaptured } from '../../src/sim/probe-questions.ts';
import { SimCluster } from '../../src/sim/sim-cluster.ts';
import { address, policy, worldOf } from '../network-policy/explain-world.ts';
import { ACK, planOf, replayedFrames, SYN } from './replay-world.ts';
import { scene as handScene, type Judged, judged } from './sightings.ts';

const shop = `{apiVersion: podwire.dev/v1alpha1, kind: Cluster, nodes: [{role: worker}, {role: worker}]}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, spec: {nodeName: n1, containers: [{name: c, ports: [{containerPort: 80}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, labels: {app: db}}, spec: {nodeName: n2, containers: [{name: c, ports: [{containerPort: 5432}]}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-allow-api}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: api}}}]
    ports: [{port: 5432}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-is-silent}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Egress]
`;
const [web, db] = ['10.244.0.2', '10.244.1.2'];
const sentence = (port: number) =>
  `ingress to default/db is restricted by db-allow-api (test:11); no rule matched: rule 1 ${
    port === 5432
      ? 'wants app=api, default/web has app=web; port 5432 was fine'
      : `wants app=api on TCP 5432; default/web has app=web, asked was TCP ${port}`
  }`;

describe('comments', () => {
  test('say why, and which policy: each packet its own', async () => {
    const plan = planOf(shop);
    const frame = { source: web, destination: db, flags: SYN };
    const { rows } = await replayedFrames(
      [5432, 80, 5432].map((destinationPort, i) => ({ ...frame, destinationPort, sourcePort: 40_000 + i })),
      { plan, at: 'pod/default/web' },
    );
    const denied = rows.filter(({ hop, comment }) => hop === 'node/n2:underlay' && comment.includes('PolicyDenied'));
    const look = 'look: NetworkPolicy default/db-allow-api (test:11)';
    expect(denied.map(({ comment }) => comment)).toEqual(
      [5432, 80, 5432].map(
        (port) => `n2: from n1 | DROPPED at ingressPolicy: PolicyDenied | ${sentence(port)} | ${look}`,
      ),
    );
  });

  test('name the direction that was judged, not the way out', async () => {
    const frame = { source: db, destination: web, flags: ACK, destinationPort: 80 };
    const { rows } = await replayedFrames([frame], { plan: planOf(shop), at: 'pod/default/db' });
    expect(rows.map(({ comment }) => comment)).toEqual([
      'n2: from pod/default/db | DROPPED at egressPolicy: PolicyDenied | egress from default/db is denied by ' +
        'db-is-silent (test:20): it has no egress rules | look: NetworkPolicy default/db-is-silent (test:20)',
    ]);
  });
});

/** What a denied probe shows at the hop that dropped it. */
async function denied(seen: (sighting: Sighting, scene: CaptureScene, cluster: SimCluster) => void): Promise<void> {
  const cluster = new SimCluster({ nodes: 2 });
  await cluster.apply(shop.slice(shop.indexOf('---\n') + 4));
  let count = 0;
  askCaptured(cluster, { from: 'web', to: 'db', port: 5432 }, (sighting, scene) => {
    if (sighting.outcome !== Drop.PolicyDenied || count++ > 0) return;
    seen(sighting, scene, cluster);
  });
  expect(count).toBeGreaterThan(0);
}

const plain = { nodeName: false, numeric: true, colour: false };
const general = dropReasons[-1 - Drop.PolicyDenied]!;

describe('flow records', () => {
  test('have the sentence, the rule and the policies, as hubble names them', async () => {
    let record: FlowRecord | undefined;
    let revision = -1;
    await denied((sighting, scene, cluster) => {
      const denials = new Denials((asked) => cluster.plane.policyWorld(asked));
      revision = sighting.judgedRevision;
      record = flowRecord(sighting, scene, new FlowNames([], []), 0n, denials.explain(sighting));
    });
    const rule = {
      kind: 'NetworkPolicy',
      namespace: 'default',
      name: 'db-allow-api',
      path: 'spec.podSelector',
      ...{ file: expect.any(String), line: 9, column: 3 },
    };
    expect(record).toMatchObject({
      verdict: 'DROPPED',
      reason: 'PolicyDenied',
      stage: 'ingressPolicy',
      ingress_denied_by: [
        { name: 'db-allow-api', namespace: 'default', revision: `${revision}`, kind: 'NetworkPolicy' },
      ],
      rule,
    });
    expect(record).not.toHaveProperty('egress_denied_by');
    expect(record!.explanation).toMatch(/^dropped: ingress to default\/db is restricted by db-allow-api \(/);
    const line = compactLine(record!, plain);
    expect(line).toMatch(/ PolicyDenied DROPPED \(TCP Flags: SYN\): ingress to default\/db is restricted by /);
    expect(line).not.toContain(general.means);
    expect(dictBlock(record!, plain)).toMatch(/ REASON: ingress to .*\n +STAGE: ingressPolicy\n +LOOK: NetworkPolicy /);
  });

  test('have the general words where nobody knows the policies any more', async () => {
    await denied((sighting, scene) => {
      const denial = new Denials(() => undefined).explain(sighting);
      expect(denial).toBeUndefined();
      const record = flowRecord(sighting, scene, new FlowNames([], []), 0n, denial);
      expect(record).toMatchObject({ stage: 'ingressPolicy', means: general.means, look: general.look });
      expect(Object.keys(record).filter((name) => /denied_by|explanation|rule/.test(name))).toEqual([]);
      expect(compactLine(record, plain)).toContain(`: ${general.means}`);
      expect(verdictWords(scene, sighting, denial)).toContain(`| ${general.means} | look: ${general.look}`);
    });
  });

  test('have no words when objects would have allowed it: better none than wrong ones', async () => {
    await denied((sighting, _, cluster) => {
      const world = cluster.plane.policyWorld(sighting.judgedRevision)!;
      expect(new Denials(() => world).explain(sighting)?.allowed).toBe(false);
      expect(new Denials(() => ({ ...world, policies: [] })).explain(sighting)).toBeUndefined();
    });
  });
});

describe('a judgement', () => {
  const onlyPorts = policy('p', 1, { ingress: [{ ports: [{ protocol: 'TCP', port: 1 }] }], policyTypes: ['Ingress'] });
  const world = worldOf(onlyPorts, policy('e', 9, { policyTypes: ['Egress'] }));

  const cases: [name: string, judgement: Judged, words: RegExp][] = [
    ['TCP', {}, /; asked was TCP 5432$/],
    ['a port above 32767', { ports: (40_000 << 16) | 60_000 }, /; asked was TCP 60000$/],
    ['UDP', { protocol: 17 }, /; asked was UDP 5432$/],
    ['SCTP', { protocol: 132 }, /; asked was SCTP 5432$/],
    ['ICMP', { protocol: 1, ports: (77 << 16) | (8 << 8) }, /; ICMP has no ports: /],
    ['ICMPv6', { protocol: 58, source: address.web6, destination: address.db6 }, /; ICMPv6 has no ports: /],
    ['another protocol', { protocol: 47, ports: 0 }, /; IP protocol 47 has no ports: /],
    ['egress', { direction: 1 }, /^dropped: egress from shop\/web is denied by e \(/],
  ];
  test.each(cases)('of %s is asked again', (_, judgement, words) => {
    expect(new Denials(() => world).explain(judged(judgement))?.sentence).toMatch(words);
  });

  test('names the revision whose policies are asked; each has its own words', () => {
    const other = worldOf(policy('q', 7, {}));
    const denials = new Denials((revision) => (revision === 7 ? other : revision === 8 ? world : undefined));
    const names = [7, 8, 9, 7].map((revision) => denials.explain(judged({ revision }))?.rule?.name);
    expect(names).toEqual(['q', 'p', undefined, 'q']);
  });

  test('is made words of once', () => {
    let asked = 0;
    const slow = {
      ...world,
      get policies() {
        asked++;
        return world.policies;
      },
    };
    const denials = new Denials(() => slow);
    const first = denials.explain(judged({}));
    const before = asked;
    expect(denials.explain(judged({ ports: (1 << 16) | 5432 }))).toBe(first); // whatever port the client has
    expect(asked).toBe(before);
    expect(denials.explain(judged({ ports: 5433 }))).not.toBe(first);
  });

  test('is nothing that a packet has which no policy denied', () => {
    const sighting = judged({});
    sighting.bits = 0;
    expect(new Denials(() => world).explain(sighting)).toBeUndefined();
  });

  test('with hostile names steers no terminal and stays on its line', () => {
    const name = 'p\u001b[31m\n\u202e| look: nothing';
    const hostile = { ...onlyPorts, name, placeOf: () => ({ file: `/tmp/${name}`, line: 1, column: 1 }) };
    const denials = new Denials(() => worldOf(hostile));
    const sighting = judged({});
    const denial = denials.explain(sighting);
    const record = flowRecord(sighting, handScene, new FlowNames([], []), 0n, denial);
    for (const text of [verdictWords(handScene, sighting, denial), compactLine(record, plain)]) {
      expect(text).not.toMatch(/[\p{Cc}\u202e]/u);
      expect(text).toContain('p\\u{1b}[31m\\u{a}\\u{202e}|');
    }
  });
});
