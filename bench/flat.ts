/**
 * Question: does the first packet of a connection cost the same, however many Services, endpoints, policies and flows there
 * are? The whole story of a SYN from a pod to a Service, from validation to encapsulated and in the connection table; beside
 * it the look-up alone of the same packet in the same rules in order, as kube-proxy's iptables mode has them. Usage: --help.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '../src/cli/table.ts';
import { commandLine, readList } from './command-line.ts';
import { type Answer, noiseWords, plotOf, type Question, type Row, report, rowWords, TITLES } from './flat-report.ts';
import { beginWorlds, check, makeWorld, turn, turnInOrder } from './flat-turns.ts';
import type { Size, World } from './flat-world.ts';
import { lookAtMachine } from './peers/machine-usage.ts';
import { quantile } from './peers/statistics.ts';
import { awaitQuiet, noiseSince } from './quiet-machine.ts';

const usage = `Usage: npm run bench:flat -- [--quick] [--only LIST] [--out DIR] [--noisy]

What the first packet of a connection costs, by the number of Services, endpoints, policies and flows; beside it the
look-up alone in the same rules in order. Some minutes and some GB of memory, with --quick half a minute and 1 GB; no
root.

  --quick      fewer turns, and nothing above 100,000
  --only LIST  of services, endpoints, policies, flows, together
  --out DIR    also writes DIR/flat.md, and a plot of each
  --noisy      goes on when the machine is too noisy to begin; what was noisy is marked either way
`;

const flags = commandLine(usage, (args) => {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      out: { type: 'string' },
      noisy: { type: 'boolean', default: false },
    },
  });
  return { ...values, only: readList(values.only, '--only', Object.keys(TITLES)) };
});
const TURNS = flags.quick ? 15 : 61;
/** Before the turns that count: the code is compiled by then, and memory has been touched. */
const WARM_TURNS = flags.quick ? 5 : 10;
const LARGEST = flags.quick ? 100_000 : 1_000_000;

const few: Size = { services: 10, endpoints: 10, policies: 0, flows: 0, listed: false };
const decades = (from: number, to: number): number[] => {
  return from > Math.min(to, LARGEST) ? [] : [from, ...decades(from * 10, to)];
};
const questions: readonly Question[] = [
  {
    name: 'services',
    x: 'Services',
    sizes: decades(10, flags.quick ? 10_000 : 100_000).map((services) => ({ ...few, services })),
    place: ({ services }) => services,
  },
  {
    name: 'endpoints',
    x: 'endpoints of each of 1,000 Services',
    sizes: decades(10, 1000).map((endpoints) => ({ ...few, services: 1000, endpoints })),
    place: ({ endpoints }) => endpoints,
  },
  {
    name: 'policies',
    x: 'policies',
    sizes: decades(10, 10_000).map((policies) => ({ ...few, policies })),
    place: ({ policies }) => policies,
  },
  {
    name: 'flows',
    x: 'flows in the table',
    sizes: decades(1, 1_000_000).map((flows) => ({ ...few, flows, listed: true })),
    place: ({ flows }) => flows,
  },
  {
    name: 'together',
    x: 'Services',
    sizes: [
      few,
      { ...few, services: LARGEST / 10, policies: 10_000 },
      { ...few, services: LARGEST / 10, policies: 10_000, flows: LARGEST },
    ],
    place: ({ services }) => services,
  },
];

/** All of a question's worlds side by side, in turns: a machine that changes its pace changes it for all. */
function answer({ sizes }: Question): Row[] {
  beginWorlds();
  const worlds = sizes.map((size) => measureMemory(size));
  for (const { world } of worlds) check(world);
  const ours = worlds.map((): number[] => []);
  const inOrder = worlds.map((): number[] => []);
  for (let round = -WARM_TURNS; round < TURNS; round++) {
    for (const [i, { world }] of worlds.entries()) {
      const figures = [turn(world), turnInOrder(world)] as const;
      if (round < 0) continue;
      ours[i]!.push(figures[0]);
      inOrder[i]!.push(figures[1]);
    }
  }
  return worlds.map(({ world, megabytes }, i) => {
    const { size, servicesMs, oneServiceMs, policiesMs } = world;
    const denied = check(world).denied;
    const figures = { ours: spread(ours[i]!), inOrder: spread(inOrder[i]!) };
    return { size, ...figures, servicesMs, oneServiceMs, policiesMs, megabytes, denied };
  });
}

function measureMemory(size: Size): { world: World; megabytes: number } {
  const before = process.memoryUsage.rss();
  const world = makeWorld(size);
  return { world, megabytes: (process.memoryUsage.rss() - before) / 2 ** 20 };
}

function spread(figures: readonly number[]): { best: number; median: number } {
  const sorted = [...figures].sort((a, b) => a - b);
  return { best: sorted[0]!, median: quantile(sorted, 0.5) };
}

await awaitQuiet(flags.noisy);
const answers = questions
  .filter(({ name }) => flags.only.includes(name))
  .map((question) => {
    const before = lookAtMachine();
    const rows = answer(question);
    const one: Answer = { question, rows, noise: noiseSince(before) };
    console.log(`\n${TITLES[question.name]}\n${noiseWords(one)}${formatTable(rowWords(one))}`);
    return one;
  });
const { markdown, sentences } = report(answers, TURNS);
console.log(`\n${sentences.join('\n')}`);
if (flags.out !== undefined) {
  mkdirSync(flags.out, { recursive: true });
  writeFileSync(join(flags.out, 'flat.md'), markdown);
  for (const one of answers) {
    const svg = plotOf(one);
    if (svg !== undefined) writeFileSync(join(flags.out, `flat-${one.question.name}.svg`), svg);
  }
}
