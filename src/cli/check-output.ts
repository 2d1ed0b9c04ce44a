/** What `podwire check` says of a report: text with matrices, or one JSON document. */

import { type Difference, differencesOf } from '../check/differences.ts';
import { formatMatrix, matricesOf, matrixLegend } from '../check/matrix.ts';
import type { Party } from '../check/party.ts';
import { type CheckedPair, expectedBy, expectedWord, type Report, summaryOf } from '../check/report.ts';
import { portWords } from '../check/resolve-pairs.ts';
import { printable } from '../cluster/source.ts';
import { formatMarkdown } from './check-markdown.ts';
import { formatJunit, formatTap } from './check-tests.ts';
import { serialise } from './output.ts';

export const checkFormats = ['table', 'json', 'junit', 'tap', 'markdown'] as const;

export type CheckFormat = (typeof checkFormats)[number];

export const checkOutputs: Readonly<Record<CheckFormat, (report: Report) => string | Promise<string>>> = {
  table: formatReport,
  json: (report) => serialise(documentOf(report), 'json'),
  junit: formatJunit,
  tap: formatTap,
  markdown: formatMarkdown,
};

/** Differences that are spelled out on a terminal; the other formats have all. */
const SHOWN_MAX = 40;

function formatReport(report: Report): string {
  const { failed, pairs } = report;
  const matrices = matricesOf(pairs);
  const parts = [...matrices.map(formatMatrix), `${matrixLegend(matrices)}\n`];
  const differences = differencesOf(failed);
  const shown = differences.slice(0, SHOWN_MAX);
  if (failed.length > 0) parts.push(`${summaryOf(report)}:\n`, shown.map(formatDifference).join('\n'));
  const more = failed.length - shown.reduce((sum, { pairs: some }) => sum + some.length, 0);
  if (more > 0) parts.push(`and ${more} more: podwire check -o json\n`);
  return parts.join('\n');
}

const wasWords = { allowed: 'allowed', blocked: 'blocked', refused: 'refused by the far end' } as const;

function formatDifference({ from, to, pairs }: Difference): string {
  const [{ pair, actual, why }] = pairs;
  const lines = [
    `! ${from} → ${to} ${portWords(pair.protocol, pair.port)}: expected ${expectedWord(pair)} (${expectedBy(pair)}), was ${wasWords[actual]}`,
    `    ${why}`,
    ...new Set(pairs.flatMap(packetLines)),
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function packetLines({ capture, captureFailure }: CheckedPair): string[] {
  if (captureFailure !== undefined) return [`    packets: none (${captureFailure})`];
  return capture === undefined ? [] : [`    packets: ${capture}`];
}

function documentOf(report: Report) {
  const { backend, elapsedMs, pairs, entries, failed, notes } = report;
  return {
    passed: failed.length === 0,
    backend,
    elapsedMs: Math.round(elapsedMs),
    counts: { pairs: pairs.length, failed: failed.length },
    notes,
    expectations: entries.map(({ entry: { name, verdict, place }, pairs: own, ok }) => {
      return { name, expected: verdict, ...placeOf(place), pairs: own.length, passed: ok };
    }),
    pairs: pairs.map(pairDocument),
    matrices: matricesOf(pairs),
  };
}

function pairDocument({ pair, answer, actual, ok, why, capture, captureFailure }: CheckedPair) {
  const { from, to, protocol, port, expected, place } = pair;
  const { outcome, reason, inferred } = answer;
  return {
    from: partyDocument(from),
    to: partyDocument(to),
    protocol,
    ...(protocol === 'ICMP' ? {} : { port }),
    expected,
    ...placeOf(place),
    actual,
    passed: ok,
    outcome,
    reason,
    ...(inferred === true ? { inferred } : {}),
    // Of what is as expected nobody asks why, and there may be a million of them.
    ...(ok ? {} : { explanation: why, rule: answer.rule, policies: answer.policies, capture, captureFailure }),
  };
}

function partyDocument({ name, pod, service, outside }: Party) {
  const object = pod ?? service;
  if (object === undefined) return outside ? { ip: name } : { name };
  const { kind, metadata } = object;
  return { kind, namespace: metadata.namespace, name: metadata.name };
}

function placeOf(place: CheckedPair['pair']['place']) {
  return place === undefined ? {} : { file: place.file, line: place.line, column: place.column };
}
