/** What `bench:flat` found, in words, tables and pictures. */
import { linePlot } from '../src/measure/plot.ts';
import { numberWords } from '../src/measure/plot-axis.ts';
import { circumstances } from './circumstances.ts';
import type { Size } from './flat-world.ts';

export interface Question {
  readonly name: keyof typeof TITLES;
  /** What grows. */
  readonly x: string;
  readonly sizes: readonly Size[];
  /** Where a size stands on the plot. */
  place(size: Size): number;
}

/** Nanoseconds a packet. */
interface Figures {
  readonly best: number;
  readonly median: number;
}

export interface Row {
  readonly size: Size;
  readonly ours: Figures;
  readonly inOrder: Figures;
  readonly servicesMs: number;
  readonly oneServiceMs: number;
  readonly policiesMs: number;
  /** By which the process grew, rules in order and what tables were made of included. */
  readonly megabytes: number;
  /** Of the packets of the last check. */
  readonly denied: number;
}

export interface Answer {
  readonly question: Question;
  readonly rows: readonly Row[];
  /** What else the machine did meanwhile, where it was too much. */
  readonly noise: readonly string[];
}

export const TITLES = {
  services: 'A new connection, by the number of Services',
  endpoints: 'A new connection, by the number of endpoints of a Service',
  policies: 'A new connection, by the number of policies',
  flows: 'A new connection, by the number of flows in the table',
  together: 'A new connection, with everything at once',
} as const;

const GOAL_NS = 3000;

/** What the rival is called: of flows, it is none that anybody has. */
function rivalOf({ name }: Question): string {
  return name === 'flows' ? 'list of connections (nobody has one)' : 'in order';
}

/** A line, or nothing. */
export function noiseWords({ noise }: Answer): string {
  return noise.length === 0 ? '' : `NOISY, not to be trusted: ${noise.join('; ')}\n`;
}

export function rowWords({ question, rows }: Answer): string[][] {
  const head = ['Services', 'endpoints', 'policies', 'flows', 'podwire, ns (best)', `${rivalOf(question)}, ns (best)`];
  head.push('Services compiled, ms', 'one changed, ms', 'policies compiled, ms', 'memory, MB');
  const words = ({ best, median }: Figures) => `${numberWords(Math.round(median))} (${numberWords(Math.round(best))})`;
  const cells = rows.map(({ size, ours, inOrder, servicesMs, oneServiceMs, policiesMs, megabytes }) => {
    const counts = [size.services, size.services * size.endpoints, size.policies, size.flows];
    const times = [servicesMs, oneServiceMs, policiesMs].map((ms) => ms.toFixed(1));
    return [...counts.map(numberWords), words(ours), words(inOrder), ...times, megabytes.toFixed(0)];
  });
  return [head, ...cells];
}

/** Both lines over what grows; of everything at once there is no line. */
export function plotOf(answer: Answer): string | undefined {
  const { question, rows } = answer;
  const { name, x, place } = question;
  if (name === 'together') return undefined;
  const rival =
    name === 'flows'
      ? 'The list of connections is nobody’s, conntrack is a hash table: it shows what O(n) would cost.'
      : 'In order: the look-up alone, one rule after the other.';
  return linePlot({
    title: TITLES[name],
    subtitle:
      `${noiseWords(answer).replace('\n', '. ')}First packet from a pod to a Service. podwire: the whole story, from validation to ` +
      `encapsulated and in the connection table. ${rival} Medians.`,
    x: { label: x, log: true },
    y: { label: 'ns per packet', log: true, from: 100 },
    series: [
      { name: 'podwire, whole story', points: rows.map(({ size, ours }) => [place(size), ours.median]) },
      {
        name: name === 'flows' ? 'a list that nobody has' : 'in order, look-up',
        points: rows.map(({ size, inOrder }) => [place(size), inOrder.median]),
        dashed: true,
      },
    ],
  });
}

export function report(answers: readonly Answer[], turns: number): { markdown: string; sentences: string[] } {
  const sentences = answers.map(sentenceOf);
  const parts = answers.map((answer, i) => {
    const { name } = answer.question;
    const picture = name === 'together' ? '' : `\n![${TITLES[name]}](flat-${name}.svg)\n`;
    const noise = noiseWords(answer);
    const words = `${noise === '' ? '' : `**${noise.trim()}**\n\n`}${sentences[i]}`;
    return `## ${TITLES[name]}\n\n${words}\n${picture}\n${markdownTable(rowWords(answer))}\n`;
  });
  const markdown = [
    `# The first packet of a connection, ${new Date().toISOString().slice(0, 10)}`,
    circumstances().join('; '),
    methodWords(turns),
    ...parts,
  ].join('\n\n');
  return { markdown, sentences };
}

function sentenceOf({ question: { name, x, place }, rows }: Answer): string {
  const [first, last] = [rows[0]!, rows.at(-1)!];
  if (name === 'together') {
    // The goal is about rules; a full table of flows is said beside it.
    const many = rows.find(({ size }) => size.services > first.size.services) ?? last;
    const ns = many.ours.median;
    const verdict = ns <= GOAL_NS ? 'met' : `missed by ${numberWords(Math.round(ns - GOAL_NS))} ns`;
    const size = `${numberWords(many.size.services)} Services and ${numberWords(many.size.policies)} policies`;
    return `With ${size} together a new connection costs ${numberWords(Math.round(ns))} ns: the goal of 3 µs is ${verdict}.`;
  }
  const times = (figure: (row: Row) => number) => numberWords(figure(last) / figure(first));
  return (
    `From ${numberWords(place(first.size))} to ${numberWords(place(last.size))} ${x} a new connection costs ` +
    `${numberWords(Math.round(first.ours.median))} to ${numberWords(Math.round(last.ours.median))} ns, ${times((row) => row.ours.median)} times as much; ` +
    `looking it up in ${name === 'flows' ? 'a list of connections, which nobody has,' : 'order'} ` +
    `${times((row) => row.inOrder.median)} times as much (${numberWords(Math.round(last.inOrder.median))} ns).`
  );
}

function methodWords(turns: number): string {
  return [
    'Method: one node with 110 pods; SYNs of random pods to random Services, each a flow that was not there before. A turn',
    'is 1,024 of them, laid out beforehand, sent through the story of packets from pods, from validation to encapsulated and',
    'in the connection table, and taken out of it again; all sizes take turns, and so does the look-up in order on the same',
    `packets. Medians of ${turns} turns, the best in brackets; before, turns that do not count. Before and after, a turn`,
    'with closed Services among them is checked: both ways give the same answer. Every pod of the cluster (131,072 that serve) is',
    'an entry of its own in the table of identities; each policy lets one block of them in. Rules in order are typed arrays in',
    'JavaScript, a few compares a rule; only their look-up is measured, without the rest of the story, and without',
    'connections, which are in a hash table there as well. Only by the number of flows, a list of them is searched before:',
    'nobody has such a list, it shows what growing with n would be. Compile times are those of one run, memory is what the process grew by, rules in',
    'order and objects that tables are made of included.',
  ].join('\n');
}

function markdownTable(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const [head, ...others] = rows;
  return [line(head!), line(head!.map(() => '---:')), ...others.map(line)].join('\n');
}
