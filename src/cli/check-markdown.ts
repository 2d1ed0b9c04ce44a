/** A check as a comment to a pull request. */
import { formatMatrix, matricesOf, matrixLegend } from '../check/matrix.ts';
import { type CheckedPair, expectedBy, expectedWord, type Report, summaryOf } from '../check/report.ts';
import { portWords } from '../check/resolve-pairs.ts';
import { printable } from '../cluster/source.ts';

/** Comments of more than some 65,000 characters are refused by those who show them. */
const ROWS_MAX = 50;
const MATRIX_LEN_MAX = 20_000;

export function formatMarkdown(report: Report): string {
  const { failed, pairs } = report;
  const lines = [`### ${failed.length === 0 ? '✅' : '❌'} podwire check: ${summaryOf(report)}`, ''];
  if (failed.length > 0) {
    lines.push('| from | to | port | expected | was | why |', '| --- | --- | --- | --- | --- | --- |');
    lines.push(...failed.slice(0, ROWS_MAX).map(row));
    if (failed.length > ROWS_MAX) lines.push('', `and ${failed.length - ROWS_MAX} more`);
    lines.push('');
  }
  const matrices = matricesOf(pairs);
  const text = matrices.map(formatMatrix).join('\n');
  if (text.length > MATRIX_LEN_MAX) return lines.join('\n');
  lines.push('<details><summary>Who reaches whom</summary>', '', '```', text, matrixLegend(matrices), '```', '');
  return `${lines.join('\n')}</details>\n`;
}

function row({ pair, actual, why }: CheckedPair): string {
  const { from, to, protocol, port } = pair;
  const wanted = `${expectedWord(pair)} (${expectedBy(pair)})`;
  return `| ${[from.name, to.name, portWords(protocol, port), wanted, actual, why].map(cell).join(' | ')} |`;
}

/** Text that nothing of Markdown, or of HTML, is read into. */
function cell(text: string): string {
  return printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/[\\`*_[\]|~#]/g, '\\$&');
}
