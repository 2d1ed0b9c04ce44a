/** Writes docs/DROPS.md from the tables of src/packet/outcome.ts. Run by hand after a change; a test compares. */
import { writeFileSync } from 'node:fs';
import { consumeReasons, type DropReason, dropReasons } from '../src/packet/outcome.ts';

const target = new URL('../docs/DROPS.md', import.meta.url);

export function renderDrops(): string {
  const consumed = consumeReasons.map(({ name, means }) => [`\`${name}\``, means]);
  return [
    '# Why a packet ended',
    '',
    'Made from `src/packet/outcome.ts` by `npx tsx scripts/build-drops.ts`; do not edit.',
    '',
    'Nothing vanishes: every packet that a node receives or makes is delivered, dropped or consumed, and each way to end',
    'has one name, one counter and one line here. A packet ends for the first reason that applies, in the order of the',
    'stages in [PACKET-LIFE.md](PACKET-LIFE.md); *what to look at* is where a person should look next. The number of a',
    'reason is its place in the table, the first drop being −1; new reasons are added at the end.',
    '',
    '## Dropped',
    '',
    ...table(['Reason', 'Stage', 'Meaning', 'What to look at'], dropReasons.map(dropRow)),
    '',
    '## Consumed',
    '',
    'The story of these packets ends well without a delivery: they concern only the link that they were seen on.',
    '',
    ...table(['Reason', 'Meaning'], consumed),
    '',
    '## Lost before a node had it',
    '',
    'What never came to a node has no story. A pod that sends faster than its node reads fills the queue of its interface,',
    'and its own kernel discards the rest: `podwire exec POD -- ip -s link show eth0` counts them as TX dropped, and so',
    'does `podwire bench`. The wire between two nodes has such a queue too, of 2,000 packets.',
    '',
  ].join('\n');
}

function dropRow({ name, stage, means, look }: DropReason): string[] {
  return [`\`${name}\``, `\`${stage}\``, means, look];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.map(escaped).join(' | ')} |`);
}

function escaped(cell: string): string {
  return cell.replaceAll('|', '\\|');
}

if (process.argv[1] === new URL(import.meta.url).pathname) writeFileSync(target, renderDrops());
