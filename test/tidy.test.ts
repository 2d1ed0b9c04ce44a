/**
 * The architecture is a test: who may import whom, what pure code may not touch, how long things may be. Every rule is a
 * function over file texts, and every rule is also shown to find a violation that was planted for it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

/** Folders of pure code, and which other folders each may import. */
const pure: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  tables: [],
  packet: ['wire', 'tables'],
  conntrack: ['packet', 'tables', 'wire'],
  encap: ['packet', 'tables', 'wire'],
  service: ['packet', 'tables', 'wire'],
  policy: ['packet', 'tables', 'wire'],
  links: ['packet', 'tables', 'wire'],
  recording: ['packet', 'tables', 'wire'],
  stack: ['packet', 'tables', 'wire'],
  dataplane: ['conntrack', 'encap', 'service', 'policy', 'links', 'recording', 'packet', 'tables', 'wire'],
};
/** The others may import what they like, but for the rules named below. */
const impure = [
  'ports',
  'sys',
  'capture',
  'events',
  'cluster',
  'nodes',
  'workload',
  'sim',
  'dns',
  'api',
  'cli',
  'vessel',
  'check',
  'trace',
  'measure',
];
/** They may load what they like too, but are given clock and randomness: the same objects must give the same cluster. */
const clockless = ['store', 'controllers', 'network-policy'];
/** What a node process must not even load: it knows nothing of YAML, REST or commands. */
const notInNodes = ['cluster', 'api', 'cli'];
/** What the simulator must not even load: it runs where nothing of Linux can be asked. */
const notInSim = ['sys', 'vessel', 'api', 'cli'];
const bannedFolders = ['utils', 'common', 'helpers', 'types'];
const bannedInPure =
  /\b(?:Date\.now|new Date|performance\.|Math\.random|set(?:Timeout|Interval|Immediate)|process\.|console\.)/g;
const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
/** Fewer files than this, and the check has looked in the wrong place. */
const FILES_MIN = 60;

/** Path below `src/` → text. */
type Files = ReadonlyMap<string, string>;

function sources(): Files {
  const root = new URL('../src/', import.meta.url);
  const names = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  return new Map(names.sort().map((name) => [name, readFileSync(new URL(name, root), 'utf8')]));
}

function folderOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.indexOf('/')) : '';
}

/** The text without comments; with `strings` false, also without what stands in strings. Lines stay where they are. */
function code(text: string, strings = true): string {
  const blank = (found: string) => found.replaceAll(/[^\n]/g, ' ');
  // A comment, a string, a template (without nesting), or a regular expression after what cannot end an operand.
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|(?<=[(,=:[!&|?;]\s*|\breturn\s)\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\//g;
  return text.replaceAll(token, (found) => {
    if (found.startsWith('//') || found.startsWith('/*')) return blank(found);
    return strings ? found : blank(found);
  });
}

interface Import {
  /** As written: `../wire/udp.ts`, `node:fs`, `koffi`. */
  readonly from: string;
  /** `import type`: gone at run time. */
  readonly typeOnly: boolean;
}

function importsOf(text: string): Import[] {
  const statement = /\b(?:import|export)\s+(type\s)?[^'";()]*?\bfrom\s*['"]([^'"]+)['"]/g;
  const bare = /\b(?:import|require)\s*\(?\s*['"]([^'"]+)['"]/g;
  const plain = code(text);
  return [
    ...[...plain.matchAll(statement)].map(([, type, from]) => ({ from: from!, typeOnly: type !== undefined })),
    ...[...plain.matchAll(bare)].map(([, from]) => ({ from: from!, typeOnly: false })),
  ];
}

/** Path below `src/` that a relative import means; undefined for packages. */
function target(path: string, from: string): string | undefined {
  if (!from.startsWith('.')) return undefined;
  return new URL(from, `file:///src/${path}`).pathname.replace('/src/', '');
}

function layerViolations(files: Files): string[] {
  return [...files].flatMap(([path, text]) => {
    const folder = folderOf(path);
    const allowed = pure[folder];
    if (allowed === undefined) return [];
    return importsOf(text).flatMap(({ from }) => {
      const to = target(path, from);
      if (to === undefined) return [`${path}: pure code may not import ${from}`];
      const other = folderOf(to);
      return other === folder || allowed.includes(other) ? [] : [`${path}: may not import ${other}/`];
    });
  });
}

function unknownFolders(files: Files): string[] {
  const known = new Set([...Object.keys(pure), ...impure, ...clockless, '']);
  return [...files.keys()].flatMap((path) => {
    const banned = path.split('/').filter((part) => bannedFolders.includes(part));
    if (banned.length > 0) return [`${path}: a folder named ${banned[0]} says nothing`];
    return known.has(folderOf(path)) ? [] : [`${path}: decide where this folder belongs, here and in ARCHITECTURE.md`];
  });
}

function koffiViolations(files: Files): string[] {
  return [...files].flatMap(([path, text]) =>
    folderOf(path) !== 'sys' && importsOf(text).some(({ from }) => from === 'koffi')
      ? [`${path}: only sys/ imports koffi`]
      : [],
  );
}

/** What files load at run time, and what that loads, and so on; with the path that leads there. */
function loadedBy(files: Files, roots: readonly string[]): Map<string, string> {
  const trail = new Map(roots.map((path) => [path, path]));
  for (const [path, way] of trail) {
    for (const { from, typeOnly } of importsOf(files.get(path) ?? '')) {
      const to = target(path, from);
      if (to === undefined || typeOnly || trail.has(to)) continue;
      trail.set(to, `${way} > ${to}`);
    }
  }
  return trail;
}

function nodeProcessViolations(files: Files): string[] {
  const own = [...files.keys()].filter((path) => folderOf(path) === 'nodes');
  const direct = own.flatMap((path) =>
    importsOf(files.get(path)!)
      .map(({ from }) => target(path, from) ?? '')
      .filter((to) => notInNodes.includes(folderOf(to)))
      .map((to) => `${path}: may not import ${folderOf(to)}/`),
  );
  const loaded = [...loadedBy(files, own)].filter(([path]) => notInNodes.includes(folderOf(path)));
  return [...direct, ...loaded.map(([path, way]) => `a node process would load ${folderOf(path)}/: ${way}`)];
}

function simViolations(files: Files): string[] {
  const own = [...files.keys()].filter((path) => folderOf(path) === 'sim');
  const loaded = [...loadedBy(files, own)].filter(([path]) => notInSim.includes(folderOf(path)));
  return loaded.map(([path, way]) => `the simulator would load ${folderOf(path)}/: ${way}`);
}

function bansInPure(files: Files): string[] {
  return [...files].flatMap(([path, text]) => {
    if (pure[folderOf(path)] === undefined && !clockless.includes(folderOf(path))) return [];
    return [...code(text, false).matchAll(bannedInPure)].map(
      ([found]) => `${path}: ${found} (clock, randomness and I/O are parameters here)`,
    );
  });
}

function tooLongFiles(files: Files): string[] {
  return [...files].flatMap(([path, text]) => {
    const lines = text.split('\n').length - 1;
    return lines > FILE_LINES_MAX ? [`${path}: ${lines} lines`] : [];
  });
}

const control = /^\s*(?:if|for|while|switch|do|try|else|catch|return)\b/;

/** Does a function begin on this line? All code is formatted, so its end is the next brace at the same indentation. */
function beginsFunction(lines: readonly string[], i: number): boolean {
  const line = lines[i]!;
  if (control.test(line)) return /=> \{$/.test(line);
  if (/=> \{$/.test(line) || /\bfunction\b/.test(line)) return true;
  if (!/^\s+(?:(?:static|async|override|get|set) )*[#\w$]+(?:<.*>)?\(/.test(line)) return false;
  if (line.endsWith('{')) return true;
  const indentation = /^\s*/.exec(line)![0];
  const closing = lines.slice(i + 1).find((next) => next.startsWith(indentation) && next[indentation.length] !== ' ');
  return line.endsWith('(') && closing !== undefined && /^\s*\).*\{$/.test(closing);
}

/** Every function of a text: the line that it begins on, and how many it has; 0 when its end was not found. */
function functionsOf(text: string): { line: number; length: number }[] {
  const lines = code(text).split('\n');
  return lines.flatMap((line, i) => {
    if (!beginsFunction(lines, i)) return [];
    const brace = `${/^\s*/.exec(line)![0]}}`;
    const end = lines.slice(i).findIndex((next) => next.startsWith(brace) && !next.endsWith('{'));
    return [{ line: i + 1, length: end + 1 }];
  });
}

function tooLongFunctions(files: Files): string[] {
  return [...files].flatMap(([path, text]) =>
    functionsOf(text)
      .filter(({ length }) => length === 0 || length > FUNCTION_LINES_MAX)
      .map(({ line, length }) => `${path}:${line}: a function of ${length} lines`),
  );
}

function indexFiles(files: Files): string[] {
  return [...files.keys()]
    .filter((path) => /(?:^|\/)index\.ts$/.test(path))
    .map((path) => `${path}: say what is in it`);
}

function leftovers(files: Files): string[] {
  return [...files].flatMap(([path, text]) =>
    [...text.matchAll(/\b(?:TODO|FIXME)\b/g)].map(([word]) => `${path}: ${word}: do it, or open an issue`),
  );
}

const rules: Readonly<Record<string, (files: Files) => string[]>> = {
  'every folder has its place, and none is called utils, common, helpers or types': unknownFolders,
  'pure code imports only what its layer may, no impure code, no node: modules, no packages': layerViolations,
  'only sys/ imports koffi': koffiViolations,
  'node processes load nothing from cluster/, api/ or cli/': nodeProcessViolations,
  'the simulator loads nothing of Linux': simViolations,
  'pure code has no clock, no randomness, no I/O': bansInPure,
  [`no file is longer than ${FILE_LINES_MAX} lines`]: tooLongFiles,
  [`no function is longer than ${FUNCTION_LINES_MAX} lines`]: tooLongFunctions,
  'no file is called index.ts': indexFiles,
  'nothing is left to do later': leftovers,
};

const files = sources();

test(`the check sees the code that it claims to check: ${files.size} files`, () => {
  expect(files.size).toBeGreaterThanOrEqual(FILES_MIN);
  for (const folder of ['wire', 'tables', 'packet', 'conntrack', 'dataplane', 'sys', 'nodes', 'cluster']) {
    expect([...files.keys()].filter((path) => folderOf(path) === folder).length, folder).toBeGreaterThan(0);
  }
  const relative = [...files].flatMap(([path, text]) => importsOf(text).map(({ from }) => target(path, from)));
  const known = relative.filter((to) => to !== undefined);
  expect(known.length).toBeGreaterThan(3 * FILES_MIN);
  expect(
    known.filter((to) => !files.has(to)),
    'imports that lead nowhere: the parser is wrong',
  ).toEqual([]);
});

describe('src/', () => {
  for (const [rule, violations] of Object.entries(rules)) test(rule, () => expect(violations(files)).toEqual([]));
});

const lines = (count: number, line = '  x();') => Array<string>(count).fill(line).join('\n');

/** Rule, planted path and text, and the words that its finding must have. */
const planted: readonly (readonly [rule: (files: Files) => string[], path: string, text: string, finds: RegExp])[] = [
  [unknownFolders, 'misc/x.ts', '', /decide where/],
  [unknownFolders, 'wire/utils/x.ts', '', /named utils/],
  [unknownFolders, 'helpers/x.ts', '', /named helpers/],
  [unknownFolders, 'types/x.ts', '', /named types/],
  [unknownFolders, 'cli/common/x.ts', '', /named common/],
  [layerViolations, 'wire/x.ts', "import { Packet } from '../packet/packet.ts';", /may not import packet/],
  [layerViolations, 'tables/x.ts', "import type { A } from '../wire/address.ts';", /may not import wire/],
  [layerViolations, 'packet/x.ts', "export { a } from '../conntrack/a.ts';", /may not import conntrack/],
  [layerViolations, 'conntrack/x.ts', "import {\n  a,\n  b,\n} from '../policy/policies.ts';", /may not import policy/],
  [layerViolations, 'service/x.ts', "import '../encap/vxlan.ts';", /may not import encap/],
  [layerViolations, 'dataplane/x.ts', "import { a } from '../stack/tcp.ts';", /may not import stack/],
  [layerViolations, 'dataplane/x.ts', "const a = await import('../ports/tap.ts');", /may not import ports/],
  [layerViolations, 'policy/x.ts', "import { x } from '../podwire.ts';", /may not import \//],
  [layerViolations, 'wire/x.ts', "import { readFileSync } from 'node:fs';", /may not import node:fs/],
  [layerViolations, 'packet/x.ts', 'import * as yaml from "yaml";', /may not import yaml/],
  [koffiViolations, 'ports/x.ts', "import koffi from 'koffi';", /only sys/],
  [koffiViolations, 'nodes/x.ts', "const koffi = require('koffi');", /only sys/],
  [nodeProcessViolations, 'nodes/x.ts', "import { a } from '../cluster/plan.ts';", /may not import cluster/],
  [nodeProcessViolations, 'nodes/x.ts', "import type { A } from '../api/server.ts';", /may not import api/],
  [simViolations, 'sim/x.ts', "import { close } from '../sys/io.ts';", /would load sys/],
  [bansInPure, 'wire/x.ts', 'const a = Date.now();', /Date\.now/],
  [bansInPure, 'packet/x.ts', 'const a = performance.now();', /performance/],
  [bansInPure, 'tables/x.ts', 'const a = Math.random();', /Math\.random/],
  [bansInPure, 'encap/x.ts', 'setTimeout(a, 1);', /setTimeout/],
  [bansInPure, 'policy/x.ts', 'const a = process.env;', /process/],
  [bansInPure, 'dataplane/x.ts', "console.log('x');", /console/],
  [bansInPure, 'store/x.ts', 'const a = new Date();', /new Date/],
  [bansInPure, 'network-policy/x.ts', 'performance.now();', /performance/],
  [bansInPure, 'controllers/x.ts', 'const a = Math.random();', /Math\.random/],
  [tooLongFiles, 'wire/x.ts', `${lines(401)}\n`, /401 lines/],
  [tooLongFunctions, 'cli/x.ts', `export function x(): void {\n${lines(69)}\n}`, /x\.ts:1: a function of 71/],
  [tooLongFunctions, 'cli/x.ts', `async function x(\n  { a }: A,\n): Promise<void> {\n${lines(67)}\n}`, /of 71/],
  [tooLongFunctions, 'cli/x.ts', `class A {\n  #x(a: B): void {\n${lines(69)}\n  }\n}`, /:2: a function of 71/],
  [
    tooLongFunctions,
    'cli/x.ts',
    `class A {\n  constructor(\n    a: B,\n  ) {\n${lines(67)}\n  }\n}`,
    /:2: a function of 71/,
  ],
  [tooLongFunctions, 'cli/x.ts', `const x = () => {\n${lines(69)}\n};`, /of 71/],
  [tooLongFunctions, 'cli/x.ts', `  return list.map((a) => {\n${lines(69)}\n  });`, /of 71/],
  [indexFiles, 'wire/index.ts', '', /index\.ts/],
  [leftovers, 'wire/x.ts', '// TODO: later', /TODO/],
  [leftovers, 'wire/x.ts', '/* FIXME */', /FIXME/],
];

describe('a planted violation is found', () => {
  for (const [rule, path, text, finds] of planted) {
    test(`${rule.name}: ${path}: ${text.slice(0, 60).replaceAll('\n', ' ')}`, () => {
      const found = rule(new Map([[path, text]])).filter((line) => finds.test(line));
      expect(found).toHaveLength(1);
      expect(found[0]).toContain(path);
    });
  }

  test('a node process that loads another folder by a detour', () => {
    const detour = new Map([
      ...files,
      ['nodes/x.ts', "import { a } from '../ports/x.ts';"],
      ['ports/x.ts', "import { b } from '../sys/x.ts';"],
      ['sys/x.ts', "import { c } from '../cli/main.ts';"],
    ]);
    expect(nodeProcessViolations(detour).join()).toContain('nodes/x.ts > ports/x.ts > sys/x.ts > cli/main.ts');
  });

  test('every rule is proved', () => {
    const proved = new Set(planted.map(([rule]) => rule));
    expect(Object.values(rules).filter((rule) => !proved.has(rule))).toEqual([]);
  });
});

describe('what only looks like a violation is not found', () => {
  const innocent = [
    "// import { a } from '../cli/main.ts';",
    '/** A stopped process. Nobody calls Date.now here. */',
    "const text = 'process.env, console.log and Math.random';",
    "const pattern = /'/; // don't call setTimeout",
    "import { a } from './own.ts';",
  ].join('\n');
  for (const [rule, violations] of Object.entries(rules)) {
    test(rule, () => {
      expect(violations(new Map([['wire/x.ts', innocent]]))).toEqual([]);
    });
  }

  test('a class, an interface or a table of 100 lines is no function', () => {
    const text = `class A {\n${lines(100, '  a = 1;')}\n}\nconst table = [\n${lines(100, '  1,')}\n];\ncall(\n${lines(100, '  1,')}\n);`;
    expect(tooLongFunctions(new Map([['cli/x.ts', text]]))).toEqual([]);
  });
});
