/** One run: brings contenders up, plays workloads on each wire, and ends everything, however it ends. */
import { type Contender, missingWords, type Rival } from '../rivals/rival.ts';
import type { Wire } from '../rivals/wire.ts';
import type { Peer } from './peer.ts';
import { playRounds } from './play-rounds.ts';
import type { Section } from './report.ts';
import { isNoisy, type RoundResult } from './round-result.ts';
import { type Setting, Watch } from './setting.ts';
import type { Workload } from './workload.ts';

export interface Entry {
  readonly name: string;
  readonly title: string;
  readonly contender: Contender;
}

export interface SessionInput {
  readonly entries: readonly Entry[];
  readonly wires: readonly Wire[];
  readonly seconds: number;
  readonly rounds: number;
  readonly congestion: string | undefined;
  /** What to play with those that are up and can have this wire. */
  readonly workloadsOn: (wire: Wire, peers: readonly Peer[], setting: Setting) => readonly Workload[];
  /** Called with each turn as soon as it is over. */
  readonly record: (result: RoundResult) => void;
  readonly signal: AbortSignal;
}

export interface SessionOutcome {
  readonly sections: readonly Section[];
  readonly absent: readonly string[];
}

/** @throws the signal's reason when it was interrupted; what was brought up is gone then too. */
export async function runSession(input: SessionInput): Promise<SessionOutcome> {
  const { entries, wires, seconds, rounds, congestion, signal, record } = input;
  const up = new Map<Entry, Rival>();
  const absent: string[] = [];
  try {
    for (const entry of entries) {
      signal.throwIfAborted();
      const missing = missingWords(entry.contender.needs);
      if (missing !== undefined) {
        absent.push(`${entry.title}: ${missing}`);
        continue;
      }
      say(`starting ${entry.title}`);
      try {
        up.set(entry, await entry.contender.start());
      } catch (error) {
        absent.push(`${entry.title}: did not start: ${firstLine(error)}`);
      }
    }
    absent.forEach(say);
    const setting: Setting = {
      seconds,
      congestion,
      signal,
      watch: new Watch(() => [...up.values()].flatMap(({ daemons }) => daemons)),
    };
    const sections: Section[] = [];
    for (const wire of wires) {
      const peers = setWire(wire, up, absent);
      for (const workload of input.workloadsOn(wire, peers, setting)) {
        say(`${workload.title}, ${wire} wire`);
        sections.push({ workload, wire });
        await playRounds(workload, {
          wire,
          rounds,
          signal,
          record: (result) => {
            record(result);
            say(turnWords(workload, result));
          },
        });
      }
    }
    return { sections, absent };
  } finally {
    const ends = [...up].map(([{ title }, rival]) => {
      return rival.end().catch((error: unknown) => say(`${title} did not end: ${firstLine(error)}`));
    });
    await Promise.all(ends);
  }
}

/** Those that have such a wire now. */
function setWire(wire: Wire, up: ReadonlyMap<Entry, Rival>, absent: string[]): Peer[] {
  return [...up].flatMap(([{ name, title, contender }, rival]) => {
    if (!contender.wires.includes(wire)) return [];
    try {
      rival.setWire(wire);
    } catch (error) {
      absent.push(`${title}, ${wire} wire: ${firstLine(error)}`);
      return [];
    }
    return [{ name, title, rival }];
  });
}

function turnWords({ figures: [main] }: Workload, result: RoundResult): string {
  const value = result.figures[main.key];
  const figure = value === undefined ? `failed: ${result.failure}` : `${value.toFixed(main.digits)} ${main.title}`;
  return `  round ${result.round} ${result.contender}: ${figure}${isNoisy(result.noise) ? ' (noisy)' : ''}`;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}

/** Progress goes beside the report. */
function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
