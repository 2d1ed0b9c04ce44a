import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodeManifest } from '../../src/cluster/manifest-bytes.ts';
import { readManifests } from '../../src/cluster/manifests.ts';
import { ManifestError } from '../../src/cluster/source.ts';
import { planTopology } from '../../src/cluster/topology.ts';

const testdata = process.env['PODWIRE_TESTDATA'];
const folder = testdata === undefined ? undefined : join(testdata, 'corpora', 'hostile-yaml');

/** What must become of a file: refused, or so many objects (0: skipped kinds, or nothing). Kinds not read yet are left out. */
const outcomes: Readonly<Record<string, 'refused' | number>> = {
  'alias-bomb.yaml': 'refused',
  'alias-cycle.yaml': 'refused',
  'binary-tag.yaml': 'refused',
  'bom.yaml': 0,
  'crlf.yaml': 0,
  'custom-tags.yaml': 'refused',
  'deep-block-400.yaml': 'refused',
  'deep-nesting-20k.yaml': 'refused',
  'duplicate-keys.yaml': 'refused',
  'empty.yaml': 0,
  'invalid-utf8.yaml': 'refused',
  'kind-list-nested.yaml': 1,
  'label-ansi.yaml': 1,
  'list-doc.yaml': 'refused',
  'merge-key.yaml': 'refused', // for its field `base`; the label it merges is fine
  'name-html.yaml': 1,
  'norway.yaml': 'refused',
  'nul-bytes.yaml': 'refused',
  'null-doc.yaml': 0,
  'only-separators.yaml': 0,
  'proto-pollution.yaml': 'refused',
  'scalar-doc.yaml': 'refused',
  'tabs.yaml': 'refused',
  'topology-dup-node.yaml': 'refused',
  'utf16.yaml': 0,
};

/** Control characters but the line feed between problems. */
const unprintable = /[^\P{Cc}\n]/u;

function outcomeOf(file: string): 'refused' | number {
  try {
    const { objects } = readManifests([decodeManifest(file, readFileSync(join(folder!, file)))]);
    planTopology(objects);
    return objects.length;
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    expect(error.message).not.toMatch(unprintable);
    return 'refused';
  }
}

describe.skipIf(folder === undefined)('hostile YAML (needs PODWIRE_TESTDATA)', () => {
  const files =
    folder === undefined ? Object.keys(outcomes) : readdirSync(folder).filter((file) => file.endsWith('.yaml'));

  test('the files that have an expected outcome are there', () => {
    expect(files).toEqual(expect.arrayContaining(Object.keys(outcomes)));
  });

  for (const file of files) {
    test(file, () => {
      const outcome = outcomeOf(file);
      expect(Object.keys(Object.prototype)).toEqual([]);
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
      const want = outcomes[file];
      if (want !== undefined) expect(outcome).toBe(want);
    });
  }
});
