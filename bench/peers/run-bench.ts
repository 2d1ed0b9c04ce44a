/** What both benchmarks' commands do: options, a session, files. */
import { appendFileSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { circumstances } from '../circumstances.ts';
import { EXIT_INTERRUPTED } from '../command-line.ts';
import { refuse, requireBuild, requireRoot } from '../requirements.ts';
import { missingWords } from '../rivals/rival.ts';
import type { Goal } from './goals.ts';
import type { BenchOptions } from './options.ts';
import { renderReport } from './report.ts';
import type { RoundResult } from './round-result.ts';
import { type Entry, runSession, type SessionInput } from './session.ts';

/** What workloads themselves need, by name. */
const ownNeeds: Readonly<Record<string, Parameters<typeof missingWords>[0]>> = {
  stream: [['iperf3', 'iperf3']],
  service: [['iperf3', 'iperf3']],
};

export interface Bench {
  /** Of the files, before the date. */
  readonly name: string;
  readonly title: string;
  readonly introduction: string;
  readonly goals: readonly Goal[];
  readonly entries: readonly Entry[];
  readonly workloadsOn: SessionInput['workloadsOn'];
}

/**
 * Prints the report, and writes it beside its charts and the raw results. Ctrl-C ends all that was started, in some
 * seconds: run by `node --import tsx`, as the command `tsx` kills what does not end within five.
 */
export async function runBench(bench: Bench, options: BenchOptions): Promise<void> {
  requireRoot();
  requireBuild();
  const missing = missingWords(options.workloads.flatMap((name) => ownNeeds[name] ?? []));
  if (missing !== undefined) refuse(`${missing}; or leave it out: --only`);
  const date = new Date().toISOString().slice(0, 10);
  const stem = `${bench.name}-${date}`;
  const directory = options.out ?? mkdtempSync(join(tmpdir(), `pw-${bench.name}-`));
  mkdirSync(directory, { recursive: true });
  const rawFile = `${stem}.jsonl`;
  writeFileSync(join(directory, rawFile), '');
  const results: RoundResult[] = [];
  const interruption = new AbortController();
  const interrupt = () => interruption.abort(new Error('interrupted'));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
  try {
    const { sections, absent } = await runSession({
      ...options,
      entries: bench.entries,
      workloadsOn: bench.workloadsOn,
      signal: interruption.signal,
      record: (result) => {
        results.push(result);
        appendFileSync(join(directory, rawFile), `${JSON.stringify(result)}\n`);
      },
    });
    const packages = bench.entries.flatMap(({ contender }) => contender.needs.map(([, name]) => name));
    const { markdown, charts } = renderReport({
      ...bench,
      circumstances: circumstances(date, [...new Set(['iperf3', ...packages])].sort(), options.congestion),
      absent,
      notes: bench.entries.flatMap(({ title, contender: { note } }) => (note === '' ? [] : [`${title}: ${note}.`])),
      sections,
      results,
      rawFile,
      stem,
    });
    for (const { file, svg } of charts) writeFileSync(join(directory, file), svg);
    writeFileSync(join(directory, `${stem}.md`), markdown);
    console.log(markdown);
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    process.exitCode = EXIT_INTERRUPTED;
  } finally {
    process.stderr.write(`in ${directory}: ${rawFile}\n`);
  }
}
