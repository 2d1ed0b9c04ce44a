/**
 * Question: what do NetworkPolicies cost a packet? A new flow's verdicts, egress and ingress, at a node of a cluster with
 * 10 to 10,000 policies; a packet of a known flow with and without them, in turns; and its judging anew. The rival of each
 * is the same without policies. Usage: --help.
 */
import { Bench } from 'tinybench';
import { KEY_WORDS, protocolWord } from '../src/packet/flow-key.ts';
import { Way, way } from '../src/packet/way.ts';
import { judge, Policies } from '../src/policy/policies.ts';
import { PolicyCompiler } from '../src/policy/policy-compiler.ts';
import { ALL_PORTS, type PolicySpec, type PortRange } from '../src/policy/policy-spec.ts';
import { Protocol } from '../src/wire/protocol.ts';
import { commandLine, noOptions } from './command-line.ts';
import { dp, LOOPS, prepare, story } from './one-node.ts';

const usage = `Usage: npm run bench:policy

What 10 to 10,000 NetworkPolicies cost a new flow and a packet of a known one, and compiling them. In memory, some 20 s, no
root.
`;
commandLine(usage, noOptions);

/** Pods of one node, as many as a kubelet takes; each with rules of its own for both directions. */
const PODS = 110;
/** Flows that are asked about in turn: enough that tables do not stay in the fastest cache. */
const FLOWS = 1 << 14;
/** Ports that flows go to, and the part of them that a port set holds: so the second stage is asked too. */
const ASKED_PORTS = 1300;
const HITS = 0.8;
const POLICIES = [10, 100, 1000, 10_000];
const KNOWN_ROUNDS = 20;

let state = 1;
function below(count: number): number {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  return (state >>> 8) % count;
}

/** The address of the pod that identity `number` is made of. */
function podWord(number: number): number {
  return (10 << 24) | (64 << 16) | number;
}

function textOf(word: number): string {
  return [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255].join('.');
}

/** Every policy has a selector of its own, so an identity; every tenth has a block. @param ranges of every port set. */
function specOf(policies: number, ranges: number): PolicySpec {
  const identities = Array.from({ length: policies }, (_, i) => ({
    prefix: `${textOf(podWord(i))}/32`,
    identity: i + 1,
  }));
  for (let i = 0; i < policies / 10; i++) {
    identities.push({ prefix: `${textOf((172 << 24) | (i << 8))}/24`, identity: policies + 1 + i });
  }
  identities.push({ prefix: '192.168.0.0/16', identity: 1 }, { prefix: '11.0.0.0/8', identity: 2 });
  const step = Math.floor(ASKED_PORTS / ranges);
  const portSet = (from: number): PortRange[] => {
    return Array.from({ length: ranges }, (_, i) => {
      const first = from + i * step;
      return { protocol: 'TCP', first, last: first + Math.floor(step * HITS) };
    });
  };
  const portSets = [[], [], ...Array.from({ length: 30 }, (_, i) => portSet(8000 + i))];
  const row = () => Int32Array.from({ length: identities.length + 1 }, () => below(portSets.length));
  const rulesets = Array.from({ length: PODS * 2 }, row);
  const pods = Array.from({ length: PODS }, (_, index) => ({ index, ingress: index * 2, egress: index * 2 + 1 }));
  return { revision: 1, numbering: 1, identities, portSets, rulesets, pods };
}

/** One key after the other. @param known whether the far end is a pod of the cluster, or an address of nobody. */
function flows(policies: number, known: boolean): Int32Array[] {
  return Array.from({ length: FLOWS }, () => {
    const key = new Int32Array(KEY_WORDS);
    key[2] = 0xffff;
    key[6] = 0xffff;
    key[3] = known ? podWord(below(policies)) : below(1 << 30) | (1 << 30);
    key[7] = known ? podWord(below(policies)) : below(1 << 30) | (1 << 30);
    key[8] = (40_000 << 16) | (8000 + below(ASKED_PORTS));
    key[9] = protocolWord(4, Protocol.Tcp);
    return key;
  });
}

const bench = new Bench({ time: 400, warmupTime: 100 });
const denials = new Map<string, () => number>();

function addDecision(name: string, policies: Policies, keys: readonly Int32Array[]): void {
  let next = 0;
  let denied = 0;
  let asked = 0;
  denials.set(name, () => denied / asked);
  bench.add(name, () => {
    for (let i = 0; i < LOOPS; i++) {
      next = (next + 1) & (FLOWS - 1);
      const pod = way(Way.Pod, next % PODS);
      // Both ends at this node, so both stages are asked; the second one when the first lets it through.
      if (judge(policies, keys[next]!, pod, way(Way.Pod, (next + 1) % PODS)) < 0) denied++;
      asked++;
    }
  });
}

for (const count of POLICIES) {
  for (const ranges of [1, 64]) {
    const policies = new Policies();
    policies.replace(new PolicyCompiler().compile(specOf(count, ranges)));
    const name = `${String(count).padStart(6)} policies, ${String(ranges).padStart(2)} ranges`;
    addDecision(`${name}, known peers`, policies, flows(count, true));
    addDecision(`${name}, peers of the world`, policies, flows(count, false));
  }
}
addDecision('    no policies', new Policies(), flows(10, true));
await bench.run();

console.log('A new flow, egress and ingress:');
for (const task of bench.tasks) {
  const { result } = task;
  if (result.state !== 'completed') throw new Error(`${task.name}: ${result.state}`);
  const [p50, best] = [result.latency.p50, result.latency.min].map((ms) => ((1e6 * ms) / LOOPS).toFixed(0).padStart(5));
  const denied = (100 * denials.get(task.name)!()).toFixed(0).padStart(3);
  console.log(`${task.name.padEnd(46)} ${p50} ns (best ${best}), ${denied} % denied`);
}

/** Nanoseconds per packet of a known flow. */
function knownFlow(before: () => void): number {
  const start = process.hrtime.bigint();
  for (let i = 0; i < 50; i++) {
    before();
    story(100, 0);
  }
  return Number(process.hrtime.bigint() - start) / (50 * LOOPS);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!;
}

const compiler = new PolicyCompiler();
const spec = specOf(10_000, 64);
const open = { ...spec, revision: 2, rulesets: spec.rulesets.map((row) => row.slice().fill(ALL_PORTS)) };
const [none, many] = [{ ...spec, pods: [] }, open].map((told) => compiler.compile(told));
prepare(100);
const without: number[] = [];
const withMany: number[] = [];
for (let round = 0; round < KNOWN_ROUNDS; round++) {
  dp.setPolicies(none!);
  without.push(knownFlow(() => {}));
  dp.setPolicies(many!);
  withMany.push(knownFlow(() => {}));
}
const [before, after] = [median(without), median(withMany)];
console.log(
  `\nA packet of a known flow: ${before.toFixed(1)} ns without policies, ${after.toFixed(1)} ns with 10,000;`,
);
console.log(`ratio ${(after / before).toFixed(3)}, median of ${KNOWN_ROUNDS} turns`);

let start = process.hrtime.bigint();
for (let i = 0; i < 100_000; i++) {
  dp.policies.revision = (dp.policies.revision + 1) | 0;
  story(100, 0, 1);
}
const asked = Number(process.hrtime.bigint() - start) / 100_000;
console.log(`The first one after a change of some other pod: ${asked.toFixed(0)} ns`);

const label = {
  ...open,
  revision: 3,
  identities: open.identities.map((one, i) => (i === 5 ? { ...one, identity: 7 } : one)),
};
const times = [0, 1, 2, 3, 4].map((i) => {
  start = process.hrtime.bigint();
  compiler.compile(i % 2 === 0 ? label : open);
  return Number(process.hrtime.bigint() - start) / 1e6;
});
console.log(`Compiling 10,000 policies anew after the edit of one label: ${median(times).toFixed(1)} ms`);
