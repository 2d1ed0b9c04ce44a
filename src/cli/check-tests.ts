/** A check as test results that other programs read: JUnit's XML, and the Test Anything Protocol. One test a line of the expectations. */
import { type CheckedEntry, type CheckedPair, expectedBy, expectedWord, type Report } from '../check/report.ts';
import { pairWords } from '../check/resolve-pairs.ts';
import { printable } from '../cluster/source.ts';

/** Pairs of one test that are spelled out. */
const SHOWN_MAX = 20;

/** What XML 1.0 (section 2.2, Char) has no way to write, escaped or not. */
const NO_XML = /[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

/** As Ant and Maven write it, in the elements and attributes that all readers of it know. */
export function formatJunit({ entries, elapsedMs }: Report): string {
  const failures = entries.filter(({ ok }) => !ok).length;
  const time = (elapsedMs / 1000).toFixed(3);
  const counts = `tests="${entries.length}" failures="${failures}" errors="0" time="${time}"`;
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${counts}>`,
    `  <testsuite name="podwire check" skipped="0" ${counts}>`,
    ...entries.flatMap(junitCase),
    '  </testsuite>',
    '</testsuites>',
  ];
  return `${lines.join('\n')}\n`;
}

function junitCase({ entry, pairs, ok }: CheckedEntry): string[] {
  const { place } = entry;
  const name = place === undefined ? entry.name : `${entry.name} (line ${place.line})`;
  const head = `    <testcase classname="${xml(place?.file ?? 'default')}" name="${xml(name)}" time="0"`;
  if (ok) return [`${head}/>`];
  const failed = pairs.filter((pair) => !pair.ok);
  const message = `${failed.length} of ${pairs.length} not as expected; ${differenceWords(failed[0]!)}`;
  const text = shownOf(failed).map(xml).join('\n');
  return [
    `${head}>`,
    `      <failure type="expectation" message="${xml(message)}">${text}</failure>`,
    '    </testcase>',
  ];
}

function xml(text: string): string {
  return text
    .replace(NO_XML, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;');
}

/** Version 14 (testanything.org): a YAML block says why. JSON's strings are YAML's. */
export function formatTap({ entries }: Report): string {
  const lines = ['TAP version 14', `1..${entries.length}`];
  for (const [i, { entry, pairs, ok }] of entries.entries()) {
    lines.push(`${ok ? 'ok' : 'not ok'} ${i + 1} - ${tap(entry.name)}`);
    if (ok) continue;
    const failed = pairs.filter((pair) => !pair.ok);
    lines.push('  ---', `  message: ${JSON.stringify(failed[0]!.why)}`);
    if (entry.place !== undefined)
      lines.push(`  at: {file: ${JSON.stringify(entry.place.file)}, line: ${entry.place.line}}`);
    lines.push('  differences:', ...shownOf(failed).map((words) => `    - ${JSON.stringify(words)}`), '  ...');
  }
  return `${lines.join('\n')}\n`;
}

/** A `#` would begin a directive. */
function tap(text: string): string {
  return printable(text).replace(/[\\#]/g, '\\$&');
}

function shownOf(failed: readonly CheckedPair[]): string[] {
  const shown = failed.slice(0, SHOWN_MAX).map(differenceWords);
  return failed.length > SHOWN_MAX ? [...shown, `and ${failed.length - SHOWN_MAX} more`] : shown;
}

function differenceWords({ pair, actual, why, capture, captureFailure }: CheckedPair): string {
  const kept = capture ?? (captureFailure === undefined ? undefined : `none (${captureFailure})`);
  const packets = kept === undefined ? '' : `; packets: ${kept}`;
  return printable(
    `${pairWords(pair)}: expected ${expectedWord(pair)} (${expectedBy(pair)}), was ${actual}: ${why}${packets}`,
  );
}
