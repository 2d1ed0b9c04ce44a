/** A trace for people: numbered places, what happens at each indented, and the outcome last. */
import { harmless } from '../events/flow-text.ts';
import type { Trace, TraceHop } from './trace.ts';

const COLUMNS = 100;

/** Ends with a line end. */
export function traceText(trace: Trace): string {
  const { question, dryRun, hops } = trace;
  const lines = [
    ...wrapped(`${question.protocol} from ${question.from} to ${question.to}${dryRun ? ' (dry run)' : ''}`, '', ''),
    ...question.notes.flatMap((note) => wrapped(note, '  ', '  ')),
    '',
    ...hopLines(hops),
    ...(hops.length === 0 ? ['no node has seen a packet of it', ''] : []),
    ...wrapped(lastLine(trace), '', '  '),
  ];
  return `${lines.map(harmless).join('\n')}\n`;
}

/** The outcome, and why, unless a hop has said so. A denial's sentence begins with the outcome already. */
function lastLine({ outcome, reason, explanation, hops }: Trace): string {
  if (explanation.startsWith(`${outcome}: `)) return explanation;
  const isTold = (sentence: string) => hops.some(({ words }) => words.endsWith(sentence));
  const news = explanation === '' || explanation.split('; ').every(isTold) ? '' : `; ${explanation}`;
  return `${outcome}: ${reason}${news}`;
}

function hopLines(hops: readonly TraceHop[]): string[] {
  const lines: string[] = [];
  const width = Math.max(0, ...hops.map(({ node }) => node.length));
  let number = 0;
  let last: TraceHop | undefined;
  for (const hop of hops) {
    if (hop.direction !== last?.direction) {
      if (last !== undefined) lines.push('');
      lines.push(hop.direction === 'forward' ? 'there' : 'back');
    }
    const isNew = hop.direction !== last?.direction || hop.node !== last.node;
    if (isNew) number++;
    const head = isNew ? `${String(number).padStart(3)}. ${hop.node.padEnd(width)}  ` : ' '.repeat(width + 7);
    lines.push(...wrapped(hop.words, head, ' '.repeat(width + 9)));
    last = hop;
  }
  if (hops.length > 0) lines.push('');
  return lines;
}

/** Lines of at most `COLUMNS`, but for words that are longer. */
function wrapped(text: string, first: string, next: string): string[] {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of text.split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > COLUMNS) {
      lines.push(line);
      line = next;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line];
}
