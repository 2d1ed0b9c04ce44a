/** A check as a comment to a pull request. */
import { type Difference, differencesOf } from '../check/differences.ts';
import { formatMatrix, matricesOf, matrixLegend } from '../check/matrix.ts';
import { expectedBy, expectedWord, type Report, summaryOf } from '../check/report.ts';
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
    const shown = differencesOf(failed).slice(0, ROWS_MAX);
    const more = failed.length - shown.reduce((sum, { pairs: some }) => sum + some.length, 0);
    lines.push(...shown.map(row));
    if (more > 0) lines.push('', `and ${more} more`);
    lines.push('');
  }
  const matrices = matricesOf(pairs);
  const text = matrices.map(formatMatrix).join('\n');
  if (text.length > MATRIX_LEN_MAX) return lines.join('\n');
  lines.push('<details><summary>Who reaches whom</summary>', '', '```', text, matrixLegend(matrices), '```', '');
  return `${lines.join('\n')}</details>\n`;
}

function row({ from, to, pairs: [{ pair, actual, why }] }: Difference): string {
  const { protocol, port } = pair;
  const wanted = `${expectedWord(pair)} (${expectedBy(pair)})`;
  return `| ${[from, to, portWords(protocol, port), wanted, actual, why].map(cell).join(' | ')} |`;
}

/** Text that nothing of Markdown, or of HTML, is read into. */
function cell(text: string): string {
  return printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/[\\`*_[\]|~#]/g, '\\$&');
}
