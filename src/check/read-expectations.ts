/**
 * Expectations as YAML:
 *
 *     default: deny                # allow, deny or ignore: all pairs of pods, on every port that a pod declares
 *     allow:
 *       - {from: shop/web-1, to: svc/shop/api, port: 80}
 *       - from: {namespace: shop, podSelector: {app: api}}
 *         to: {ip: 10.0.0.7}
 *         port: 53
 *         protocol: UDP
 *     deny: […]
 *
 * A document that is a list is NetAssert's format.
 */
import type { LabelSelector, LabelSelectorRequirement } from 'kubernetes-types/meta/v1.d.ts';
import { UsageError } from '../cli/arguments.ts';
import { parseEndpoint } from '../cli/endpoint.ts';
import { Field, shown } from '../cluster/field.ts';
import { readLabels } from '../cluster/manifest-object.ts';
import type { ManifestText } from '../cluster/manifests.ts';
import { ManifestError, type Place, type Problem, ProblemLog } from '../cluster/source.ts';
import type { SourceNode } from '../cluster/source-tree.ts';
import { dnsLabel, labelKey, labelValue, portName } from '../cluster/text-rule.ts';
import { readYaml } from '../cluster/yaml-text.ts';
import { formatAddress, parseAddress } from '../wire/address.ts';
import { type CheckProtocol, checkProtocols, type End, type Expectation, type Expectations } from './expectation.ts';
import { readNetAssert } from './netassert.ts';

const PORT_MAX = 65_535;

/** Some expectations cannot be read. */
export class ExpectationError extends ManifestError {
  /** Those that can. */
  readonly others: readonly Expectation[];

  constructor(problems: readonly Problem[], others: readonly Expectation[]) {
    super(problems);
    this.others = others;
  }
}

/** What has been read so far. */
interface Reading {
  readonly list: Expectation[];
  fallback: { readonly verdict: Expectations['default']; readonly place: Place } | undefined;
}

/** @param namespace of endpoints that name none. @throws ExpectationError with every problem of all texts. */
export function readExpectations(texts: readonly ManifestText[], namespace: string): Expectations {
  const reading: Reading = { list: [], fallback: undefined };
  const problems = texts.flatMap((text) => readText(text, namespace, reading));
  const { list, fallback } = reading;
  if (problems.length > 0) throw new ExpectationError(problems, list);
  return { default: fallback?.verdict ?? 'ignore', defaultPlace: fallback?.place, list };
}

/** @returns what is wrong with it */
function readText({ file, text }: ManifestText, namespace: string, into: Reading): readonly Problem[] {
  const log = new ProblemLog();
  const documents = readYaml(file, text, log);
  const manifest = documents.find(isManifest);
  if (manifest !== undefined) log.error(manifest.place, '', 'these are Kubernetes objects, not expectations');
  for (const node of manifest === undefined ? documents : []) {
    const document = new Field(node, node.place, '', log);
    if (node.type === 'list') into.list.push(...readNetAssert(document));
    else readDocument(document, namespace, into);
  }
  const problems = problemsOf(log);
  if (documents.length > 0 || problems.length > 0) return problems;
  log.error({ file, line: 0, column: 0 }, '', 'found no expectations, expected allow, deny or default');
  return problemsOf(log);
}

function problemsOf(log: ProblemLog): readonly Problem[] {
  try {
    log.throwIfErrors();
    return [];
  } catch (error) {
    if (error instanceof ManifestError) return error.problems;
    throw error;
  }
}

const documentFields = ['default', 'allow', 'deny'];

/** One object, or a list of them. */
function isManifest(node: SourceNode): boolean {
  return (node.type === 'list' ? node.items : [node]).some((one) => {
    if (one.type !== 'map' || documentFields.some((name) => one.fields.has(name))) return false;
    return one.fields.has('apiVersion') || one.fields.has('kind');
  });
}

function readDocument(document: Field, namespace: string, into: Reading): void {
  const fields = document.object(documentFields);
  if (document.node.type !== 'map') return;
  const fallback = fields.get('default');
  const word = fallback?.choice(['allow', 'deny', 'ignore']);
  const before = into.fallback?.verdict;
  if (word !== undefined && before !== undefined && word !== before) {
    fallback!.refuse(`found ${word} after ${before} in another document, expected one default`);
  }
  if (word !== undefined) into.fallback = { verdict: word, place: fallback!.place };
  for (const verdict of ['allow', 'deny'] as const) {
    for (const entry of fields.get(verdict)?.items() ?? []) {
      const expectation = readEntry(entry, verdict, namespace);
      if (expectation !== undefined) into.list.push(expectation);
    }
  }
  if (
    [...document.node.fields.keys()].every((name) => documentFields.includes(name) && fields.get(name) === undefined)
  ) {
    document.refuse('found no expectations, expected allow, deny or default');
  }
}

function readEntry(entry: Field, verdict: Expectation['verdict'], namespace: string): Expectation | undefined {
  const fields = entry.object(['from', 'to', 'port', 'protocol']);
  const from = readEnd(fields.required('from', 'from: web'), namespace);
  const to = readEnd(fields.required('to', 'to: svc/api'), namespace);
  const protocol = readProtocol(fields.get('protocol'));
  const portField = fields.get('port');
  const port = readPort(portField);
  if (protocol === 'ICMP') portField?.refuse('found a port, expected none: ICMP has no ports');
  if (from === undefined || to === undefined) return undefined;
  const { place, path } = entry;
  return { verdict, name: undefined, from, to, port, protocol, refusedMeans: 'neither', place, path };
}

function readProtocol(field: Field | undefined): CheckProtocol | undefined {
  const word = field?.text();
  if (word === undefined) return undefined;
  const protocol = checkProtocols.find((one) => one === word.toUpperCase());
  if (protocol === undefined) field!.refuse(`found ${shown(word)}, expected ${checkProtocols.join(', ')}`);
  return protocol;
}

/** A number, or a port's name; a number in quotes is one too. */
function readPort(field: Field | undefined): number | string | undefined {
  const { node } = field ?? {};
  if (node?.type !== 'scalar' || typeof node.value !== 'string') return field?.integer(1, PORT_MAX);
  const number = /^\d{1,5}$/.test(node.value) ? Number(node.value) : 0;
  if (number >= 1 && number <= PORT_MAX) return number;
  return field!.text(portName);
}

function readEnd(field: Field | undefined, namespace: string): End | undefined {
  if (field === undefined) return undefined;
  if (field.node.type === 'scalar') {
    const text = field.text();
    return text === undefined ? undefined : readEndpoint(field, text, namespace);
  }
  const fields = field.object(['namespace', 'podSelector', 'ip']);
  const ip = fields.get('ip');
  if (ip === undefined) {
    const given = fields.get('namespace');
    if (given === undefined && fields.get('podSelector') === undefined && field.node.type === 'map') {
      field.refuse('found no namespace, podSelector or ip, expected one of them, or an endpoint such as shop/web');
    }
    const name = given === undefined ? namespace : given.text(dnsLabel);
    if (name === undefined) return undefined;
    return { type: 'pods', namespace: name, selector: readSelector(fields.get('podSelector')) };
  }
  for (const name of ['namespace', 'podSelector']) {
    fields.get(name)?.refuse('found this beside ip, expected one of them: an address has neither');
  }
  const text = ip.text();
  if (text === undefined) return undefined;
  const words = parseAddress(text);
  if (words !== undefined) return { type: 'ip', address: formatAddress(words) };
  ip.refuse(`found ${shown(text)}, expected one IPv4 or IPv6 address`);
  return undefined;
}

function readEndpoint(field: Field, text: string, namespace: string): End | undefined {
  const words = parseAddress(text);
  if (words !== undefined) return { type: 'ip', address: formatAddress(words) };
  const port = /:(\w[-\w]*)$/.exec(text);
  if (port !== null) {
    field.refuse(`found ${shown(text)}, expected an endpoint without its port; write "port: ${port[1]}" beside it`);
    return undefined;
  }
  try {
    return parseEndpoint(text, namespace, '');
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    field.refuse(`found ${shown(text)}, expected [NAMESPACE/]POD, KIND/NAME, svc/[NAMESPACE/]NAME, node/NAME or an IP`);
    return undefined;
  }
}

/** A label selector, or just labels. Left out: every pod. */
function readSelector(field: Field | undefined): LabelSelector {
  if (field?.node.type !== 'map') {
    field?.entries(); // says what is wrong
    return {};
  }
  const keys = [...field.node.fields.keys()];
  if (!keys.includes('matchLabels') && !keys.includes('matchExpressions')) return { matchLabels: readLabels(field) };
  const fields = field.object(['matchLabels', 'matchExpressions']);
  return {
    matchLabels: readLabels(fields.get('matchLabels')),
    matchExpressions: (fields.get('matchExpressions')?.items() ?? []).flatMap(readRequirement),
  };
}

function readRequirement(field: Field): LabelSelectorRequirement[] {
  const fields = field.object(['key', 'operator', 'values']);
  const key = fields.required('key', 'key: app')?.text(labelKey);
  const operator = fields.required('operator', 'operator: In')?.choice(['In', 'NotIn', 'Exists', 'DoesNotExist']);
  const list = fields.get('values');
  const values = (list?.items() ?? []).flatMap((item) => item.text(labelValue) ?? []);
  if (key === undefined || operator === undefined) return [];
  const takesValues = operator === 'In' || operator === 'NotIn';
  if (takesValues && list === undefined) field.refuse(`found no values, expected some as operator is ${operator}`);
  if (takesValues && list !== undefined && values.length === 0) list.refuse('found no values, expected at least one');
  if (!takesValues) list?.refuse(`found values, expected none as operator is ${operator}`);
  return [{ key, operator, values }];
}
