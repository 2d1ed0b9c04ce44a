/** The corpus of capture files in the shared test data, and what tshark 4.0 said about each. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const testdata = process.env['PODWIRE_TESTDATA'] ?? '/nonexistent';
export const corpusFolder = join(testdata, 'corpora', 'pcap');

/** One frame in words; empty where tshark has nothing to say. */
export type ExpectedFrame = Readonly<Record<string, string>>;

export interface CorpusFile {
  /** Path in the corpus. */
  readonly file: string;
  readonly path: string;
  readonly bytes: Buffer;
  /** What tshark said when it could not read the file to its end; empty when it could. */
  readonly refused: string;
  /** Packets that capinfos counted. */
  readonly counted: number;
  /** The first 1500 frames. Rows that are no packets (blocks of other types) are left out. */
  readonly frames: readonly ExpectedFrame[];
  /** Are `frames` all there are? */
  readonly complete: boolean;
}

/** How many frames of a file are described. */
const FRAMES_MAX = 1500;

export function corpusFiles(): CorpusFile[] {
  const manifest = readFileSync(join(corpusFolder, 'manifest.csv'), 'utf8').trim().split('\n').slice(1);
  const counts = new Map(manifest.map((line) => line.split(',')).map((cells) => [cells[0]!, Number(cells[8])]));
  const expectedFolder = join(testdata, 'corpora', 'pcap-expected');
  return readdirSync(expectedFolder).flatMap((name) => {
    const [head, ...lines] = gunzipSync(readFileSync(join(expectedFolder, name)))
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    return lines.map(({ file, rc, err, rows }) => described(head.columns, counts, file, rc === 0 ? '' : err, rows));
  });
}

function described(
  columns: readonly string[],
  counts: ReadonlyMap<string, number>,
  file: string,
  refused: string,
  rows: readonly (readonly string[])[],
): CorpusFile {
  const path = join(corpusFolder, file);
  const all = rows.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i]!])));
  const frames = all.filter((frame) => frame['frame.encap_type'] !== '');
  const complete = rows.length < FRAMES_MAX;
  return { file, path, bytes: readFileSync(path), refused, counted: counts.get(file)!, frames, complete };
}
