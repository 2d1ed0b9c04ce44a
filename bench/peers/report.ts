/** Rounds → a report in Markdown, and bars of the ratios. Nothing is read or measured here. */
import { FOREIGN_CORES_MAX, STEAL_SHARE_MAX } from '../../src/measure/machine-use.ts';
import { type Bar, barPlot } from '../../src/measure/plot.ts';
import { type Goal, judge, verdictWords } from './goals.ts';
import { type RoundResult, samplesOf } from './round-result.ts';
import { ratios, type Spread, spread } from './statistics.ts';
import type { Figure, Participant, Workload } from './workload.ts';

/** A workload that was played on a wire. */
export interface Section {
  readonly workload: Workload;
  readonly wire: string;
}

export interface ReportInput {
  readonly title: string;
  readonly introduction: string;
  /** Lines of a list: the machine, the commit, versions. */
  readonly circumstances: readonly string[];
  /** Who did not take part, and why. */
  readonly absent: readonly string[];
  readonly notes: readonly string[];
  readonly sections: readonly Section[];
  readonly results: readonly RoundResult[];
  readonly goals: readonly Goal[];
  /** Where the raw results are, and what charts' names begin with. */
  readonly rawFile: string;
  readonly stem: string;
}

export interface Chart {
  readonly file: string;
  readonly svg: string;
}

export interface Report {
  readonly markdown: string;
  readonly charts: readonly Chart[];
}

export function renderReport(input: ReportInput): Report {
  const charts: Chart[] = [];
  const parts = input.sections.flatMap((section) => {
    const chart = chartOf(section, input);
    if (chart !== undefined) charts.push(chart);
    return renderSection(section, input.results, chart);
  });
  const lines = [
    ...noiseWarning(input),
    `# ${input.title}`,
    '',
    input.introduction,
    '',
    ...input.circumstances.map((line) => `- ${line}`),
    ...input.absent.map((line) => `- Not here: ${line}`),
    '',
    `Everything is interleaved round by round; the first round warms up and counts for nothing. A turn during which the hypervisor took more than ${STEAL_SHARE_MAX * 100} % of the machine, or processes that are not the benchmark's used more than ${FOREIGN_CORES_MAX} cores, is noisy; medians are over quiet turns where at least half are quiet, else over all and marked †. Ratios are of the same round: median (quartiles; least – most). CPU is busy core-seconds of the whole machine. All turns: [${input.rawFile}](${input.rawFile}).`,
    '',
    ...goalTable(input),
    ...parts,
    ...(input.notes.length > 0 ? ['## Notes', '', ...input.notes.map((note) => `- ${note}`), ''] : []),
  ];
  return { markdown: lines.join('\n'), charts };
}

function noiseWarning({ sections, results }: ReportInput): string[] {
  const noisy = sections.filter(({ workload, wire }) => {
    const own = resultsOf(results, workload, wire);
    return workload.participants.some(({ name }) => spread(samplesOf(own, name, workload.figures[0].key))?.noisy);
  });
  if (noisy.length === 0) return [];
  const which = noisy.map(({ workload, wire }) => `${workload.name} (${wire})`).join(', ');
  return [
    `**The machine was noisy: in ${which}, fewer than half of some contenders' rounds were quiet; † marks what is of all rounds.**`,
    '',
  ];
}

function resultsOf(results: readonly RoundResult[], workload: Workload, wire: string): RoundResult[] {
  return results.filter((result) => result.workload === workload.name && result.wire === wire);
}

function goalTable({ goals, results }: ReportInput): string[] {
  const verdicts = judge(goals, results);
  if (verdicts.length === 0) return [];
  const rows = verdicts.map((verdict) => {
    const { goal, wire, found } = verdict;
    const bound = `${goal.sense === 'at least' ? '≥' : '≤'} ${goal.bound} ${goal.unit}`;
    const measured = found === undefined ? '–' : spreadWords(found, goal.unit === '×' ? 2 : 1);
    return `| ${goal.what} | ${wire} | ${bound} | ${measured} | ${verdictWords(verdict)} |`;
  });
  return ['## Goals', '', '| | wire | goal | measured | |', '| --- | --- | --- | --- | --- |', ...rows, ''];
}

function renderSection({ workload, wire }: Section, all: readonly RoundResult[], chart: Chart | undefined): string[] {
  const results = resultsOf(all, workload, wire);
  const { figures, participants } = workload;
  const subjects = participants.filter(({ name }) => workload.subjects.includes(name));
  const anyPlain = participants.some(({ plain }) => plain !== undefined);
  const [main] = figures;
  const heads = [
    '',
    main.title,
    'least – most',
    ...figures.slice(1).map(({ title }) => title),
    ...subjects.map(({ title }) => `${title} ÷ it`),
    ...(anyPlain ? [`÷ ${workload.plainTitle ?? 'its own plain'}`] : []),
  ];
  const rows = participants.map((one) => [
    one.title,
    ...mainCells(results, one, main),
    ...figures.slice(1).map((figure) => medianCell(results, one, figure)),
    ...subjects.map((subject) => ratioCell(results, subject.name, one.name, main)),
    ...(anyPlain ? [one.plain === undefined ? '' : ratioCell(results, one.name, one.plain, main)] : []),
  ]);
  return [
    `## ${workload.title}, ${wire} wire`,
    '',
    workload.method,
    '',
    `| ${heads.join(' | ')} |`,
    `|${' --- |'.repeat(heads.length)}`,
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    ...conclusion(workload, subjects, results),
    ...failureLines(participants, results),
    ...(chart === undefined ? [] : [`![${workload.title}, ${wire} wire](${chart.file})`, '']),
  ];
}

function mainCells(results: readonly RoundResult[], { name }: Participant, figure: Figure): [string, string] {
  const found = spread(samplesOf(results, name, figure.key));
  if (found === undefined) return ['–', ''];
  const text = (value: number) => value.toFixed(figure.digits);
  return [`**${text(found.median)}**${found.noisy ? '†' : ''}`, `${text(found.least)} – ${text(found.most)}`];
}

function medianCell(results: readonly RoundResult[], { name }: Participant, { key, digits }: Figure): string {
  return spread(samplesOf(results, name, key))?.median.toFixed(digits) ?? '';
}

function ratioCell(results: readonly RoundResult[], ours: string, theirs: string, { key }: Figure): string {
  if (ours === theirs) return '';
  const found = spread(ratios(samplesOf(results, ours, key), samplesOf(results, theirs, key)));
  return found === undefined ? '–' : spreadWords(found, 2);
}

function spreadWords(found: Spread, digits: number): string {
  const text = (value: number) => value.toFixed(digits);
  const { median, lowerQuartile, upperQuartile, least, most, noisy } = found;
  const quartiles = `${text(lowerQuartile)} – ${text(upperQuartile)}`;
  return `**${text(median)}**${noisy ? '†' : ''} (${quartiles}; ${text(least)} – ${text(most)})`;
}

/** One sentence for each of ours, and one for each that has a plain one: of nothing but the figures. */
function conclusion(workload: Workload, subjects: readonly Participant[], results: readonly RoundResult[]): string[] {
  const [{ key, title: unit }] = workload.figures;
  const beside = (ours: Participant, theirs: Participant): string[] => {
    const ratio = (figure: string) => {
      return spread(ratios(samplesOf(results, ours.name, figure), samplesOf(results, theirs.name, figure)))?.median;
    };
    const found = ratio(key);
    const cost = workload.cost === undefined ? undefined : ratio(workload.cost);
    if (found === undefined) return [];
    return [`${twoDigits(found)} × ${theirs.title}${cost === undefined ? '' : ` (for ${twoDigits(cost)} × its CPU)`}`];
  };
  const sentence = (ours: Participant, others: readonly Participant[]) => {
    const found = others.flatMap((theirs) => beside(ours, theirs));
    return found.length === 0 ? [] : [`In ${unit}, ${ours.title} is ${found.join(', ')}.`];
  };
  const { participants } = workload;
  const rivals = participants.filter(({ name }) => !workload.subjects.includes(name));
  const sentences = [
    ...subjects.flatMap((subject) => sentence(subject, rivals)),
    ...participants.flatMap((one) => {
      if (workload.subjects.includes(one.name)) return []; // said already
      return sentence(
        one,
        participants.filter(({ name }) => name === one.plain),
      );
    }),
  ];
  return sentences.length === 0 ? [] : [sentences.join(' '), ''];
}

function twoDigits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function failureLines(participants: readonly Participant[], results: readonly RoundResult[]): string[] {
  const lines = participants.flatMap(({ name, title }) => {
    const failures = results.filter((result) => result.contender === name && result.failure !== undefined);
    if (failures.length === 0) return [];
    const rounds = failures.map(({ round }) => round).join(', ');
    return [`- ${title} failed in round ${rounds}: ${failures.at(-1)!.failure}`];
  });
  return lines.length === 0 ? [] : [...lines, ''];
}

/** Ratios of the first of ours by all others, or of each by its plain one; undefined where there are none. */
function chartOf({ workload, wire }: Section, { results, stem }: ReportInput): Chart | undefined {
  const own = resultsOf(results, workload, wire);
  const { key } = workload.figures[0];
  const bar = (name: string, ours: string, theirs: string): Bar[] => {
    const found = spread(ratios(samplesOf(own, ours, key), samplesOf(own, theirs, key)));
    if (found === undefined) return [];
    return [{ name, value: found.median, low: found.lowerQuartile, high: found.upperQuartile }];
  };
  const { participants } = workload;
  const subject = participants.find(({ name }) => workload.subjects.includes(name));
  const bars = participants.flatMap(({ name, title, plain }) => {
    if (subject !== undefined && name !== subject.name) return bar(`÷ ${title}`, subject.name, name);
    return subject === undefined && plain !== undefined ? bar(title, name, plain) : [];
  });
  if (bars.length === 0) return undefined;
  bars.unshift({ name: subject?.title ?? workload.plainTitle ?? 'plain', value: 1, emphasis: true });
  const svg = barPlot({
    title: `${workload.title.replaceAll('`', '')}${subject === undefined ? '' : `: ${subject.title} beside its rivals`}`,
    subtitle: `${workload.figures[0].title}, ${wire} wire; median and quartiles of ratios within a round; ${workload.better} is better`,
    unit: '×',
    bars,
  });
  return { file: `${stem}-${workload.name}-${wire}.svg`, svg };
}
