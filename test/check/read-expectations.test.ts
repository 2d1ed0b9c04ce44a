import { describe, expect, test } from 'vitest';
import { type ExpectationError, readExpectations } from '../../src/check/read-expectations.ts';
import { ManifestError } from '../../src/cluster/source.ts';
import { kinds } from '../../src/store/resources.ts';
import { Random } from '../support/random.ts';

function read(text: string, namespace = 'default') {
  return readExpectations([{ file: 'e.yaml', text }], namespace);
}

function one(entry: string, namespace?: string) {
  const { list } = read(`allow: [${entry}]`, namespace);
  expect(list).toHaveLength(1);
  return list[0]!;
}

/** Every problem, a line each. */
function problems(text: string): string[] {
  try {
    read(text);
  } catch (error) {
    if (error instanceof ManifestError) return error.message.split('\n');
    throw error;
  }
  return [];
}

describe('what is no expectation', () => {
  const manifest = 'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: []}\n';

  test.each([
    ['objects', `${manifest}---\n${manifest}`, 'e.yaml:1:1'],
    ['objects among expectations', `allow: [{from: 1}]\n---\n${manifest}`, 'e.yaml:3:1'],
    ['a list of them', '- {apiVersion: v1, kind: Pod}\n- {apiVersion: v1, kind: Pod}\n', 'e.yaml:1:1'],
    ['one without a version', 'kind: NetworkPolicy\nspec: {}\n', 'e.yaml:1:1'],
  ])('but Kubernetes objects is told in one line: %s', (_, text, place) => {
    expect(problems(text)).toEqual([`${place}: these are Kubernetes objects, not expectations`]);
  });

  test('nor YAML is told once', () => {
    const found = problems('allow: [{from: a\n');
    expect(found.length).toBeGreaterThan(0);
    expect(found.join()).not.toContain('found no expectations');
    expect(problems('# nothing\n')).toEqual(['e.yaml: found no expectations, expected allow, deny or default']);
  });

  test('leaves the others readable', () => {
    try {
      read('allow: [{from: a}, {from: a, to: b, port: 80}]');
      expect.unreachable();
    } catch (error) {
      expect((error as ExpectationError).others).toMatchObject([{ path: 'allow[1]', port: 80 }]);
    }
  });
});

describe('expectations', () => {
  test('have a default, ignore when left out, and lists with their places', () => {
    const { default: fallback, list } = read(
      'default: deny\nallow:\n- {from: a, to: b, port: 80}\ndeny:\n- {from: b, to: a}\n',
    );
    expect(fallback).toBe('deny');
    expect(read('allow: []\ndefault: deny').defaultPlace).toMatchObject({ file: 'e.yaml', line: 2 });
    expect(list).toMatchObject([
      {
        verdict: 'allow',
        port: 80,
        protocol: undefined,
        path: 'allow[0]',
        place: { file: 'e.yaml', line: 3, column: 3 },
      },
      { verdict: 'deny', port: undefined, path: 'deny[0]', place: { line: 5 } },
    ]);
    expect(read('allow: [{from: a, to: b}]').default).toBe('ignore');
  });

  test('name ends as the command line does', () => {
    expect(one('{from: shop/web, to: web}', 'team').from).toEqual({ type: 'bare', namespace: 'shop', name: 'web' });
    expect(one('{from: shop/web, to: web}', 'team').to).toEqual({ type: 'bare', namespace: 'team', name: 'web' });
    expect(one('{from: deploy/shop/web, to: svc/api}')).toMatchObject({
      from: { type: 'object', resource: kinds.Deployment, namespace: 'shop', name: 'web' },
      to: { type: 'object', resource: kinds.Service, namespace: 'default', name: 'api' },
    });
    expect(one('{from: node/n1, to: 10.0.0.7}')).toMatchObject({
      from: { type: 'node', name: 'n1' },
      to: { type: 'ip', address: '10.0.0.7' },
    });
    expect(one('{from: a, to: {ip: "fd00:0::7"}}').to).toEqual({ type: 'ip', address: 'fd00::7' });
  });

  test('name pods by labels, plain or as selectors have them', () => {
    expect(one('{from: {namespace: shop}, to: {podSelector: {app: db}}}')).toMatchObject({
      from: { type: 'pods', namespace: 'shop', selector: {} },
      to: { type: 'pods', namespace: 'default', selector: { matchLabels: { app: 'db' } } },
    });
    const selector = '{matchLabels: {app: db}, matchExpressions: [{key: tier, operator: NotIn, values: [web]}]}';
    expect(one(`{from: a, to: {namespace: shop, podSelector: ${selector}}}`).to).toEqual({
      type: 'pods',
      namespace: 'shop',
      selector: {
        matchLabels: { app: 'db' },
        matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['web'] }],
      },
    });
  });

  test('take a port by number, also in quotes, or by name; protocols in any case', () => {
    expect(one('{from: a, to: b, port: "80"}').port).toBe(80);
    expect(one('{from: a, to: b, port: http, protocol: udp}')).toMatchObject({ port: 'http', protocol: 'UDP' });
    expect(one('{from: a, to: b, protocol: ICMP}').protocol).toBe('ICMP');
  });

  test.each([
    ['', 'e.yaml: found no expectations, expected allow, deny or default'],
    ['{}', 'e.yaml:1:1: found no expectations, expected allow, deny or default'],
    ['x', 'e.yaml:1:1: found the string "x", expected a map: key: value'],
    ['alow: []', 'e.yaml:1:1: alow: unknown field "alow"; did you mean "allow"?'],
    ['default: no', 'e.yaml:1:10: default: found the boolean no, expected a string; quote it: "no"'],
    ['default: denied', 'e.yaml:1:10: default: found "denied", expected allow or deny or ignore'],
    ['allow: {}', 'e.yaml:1:1: allow: found a map, expected a list; start each entry with "- "'],
    ['allow: [{to: b}]', 'e.yaml:1:9: allow[0]: found no from, expected one; add "from: web"'],
    ['deny: [{from: b}]', 'e.yaml:1:8: deny[0]: found no to, expected one; add "to: svc/api"'],
    ['allow: [{from: a, to: b, port: 0}]', 'found 0, expected a whole number from 1 to 65535'],
    ['allow: [{from: a, to: b, port: 65536}]', 'found 65536, expected a whole number from 1 to 65535'],
    ['allow: [{from: a, to: b, port: "65536"}]', 'allow[0].port: found "65536", expected a port name'],
    ['allow: [{from: a, to: b, port: HTTP}]', 'allow[0].port: found "HTTP", expected a port name'],
    ['allow: [{from: a, to: b, protocol: QUIC}]', 'found "QUIC", expected TCP, UDP, SCTP, ICMP'],
    ['allow: [{from: a, to: b, protocol: ICMP, port: 8}]', 'found a port, expected none: ICMP has no ports'],
    [
      'allow: [{from: a, to: "b:80"}]',
      'found "b:80", expected an endpoint without its port; write "port: 80" beside it',
    ],
    ['allow: [{from: a, to: a/b/c/d}]', 'found "a/b/c/d", expected [NAMESPACE/]POD'],
    ['allow: [{from: a, to: cm/x}]', 'found "cm/x", expected [NAMESPACE/]POD'],
    ['allow: [{from: a, to: {}}]', 'found no namespace, podSelector or ip, expected one of them'],
    ['allow: [{from: a, to: {ip: 10.0.0.0/8}}]', 'found "10.0.0.0/8", expected one IPv4 or IPv6 address'],
    ['allow: [{from: a, to: {ip: 10.0.0.1, namespace: x}}]', 'found this beside ip, expected one of them'],
    ['allow: [{from: a, to: {namespace: X}}]', 'allow[0].to.namespace: found "X", expected a DNS label'],
    ['allow: [{from: a, to: {podSelector: x}}]', 'allow[0].to.podSelector: found the string "x", expected a map'],
    ['allow: [{from: a, to: {podSelector: {matchLabels: {a: b}, x: y}}}]', 'unknown field "x"'],
    [
      'allow: [{from: a, to: {podSelector: {matchExpressions: [{key: a, operator: In}]}}}]',
      'matchExpressions[0]: found no values, expected some as operator is In',
    ],
    [
      'allow: [{from: a, to: {podSelector: {matchExpressions: [{key: a, operator: In, values: []}]}}}]',
      'found no values, expected at least one',
    ],
    [
      'allow: [{from: a, to: {podSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}}]',
      'found values, expected none as operator is Exists',
    ],
    ['default: deny\n---\ndefault: allow', 'e.yaml:3:10: default: found allow after deny in another document'],
  ])('%s is refused', (text, expected) => {
    const found = problems(text);
    expect(found.join('\n')).toContain(expected);
    expect(found).toHaveLength(1);
  });

  test('that are wrong in several places are told all at once', () => {
    expect(problems('allow: [{from: a}, {to: b}]\ndeny: [x]')).toHaveLength(3);
  });

  test('of any text end as expectations or a ManifestError', () => {
    const random = new Random(6);
    const text =
      'default: deny\nallow:\n- from: {namespace: shop, podSelector: {app: api}}\n  to: &a svc/x\n  port: 80\n';
    const bits = [
      '{',
      '}',
      '[',
      ']',
      ':',
      '- ',
      '*a',
      '&a ',
      '!!',
      '"',
      "'",
      '\n',
      '---\n',
      '\t',
      '~',
      '0x1',
      '|',
      '\u0007',
    ];
    for (let round = 0; round < 500; round++) {
      let hostile = text;
      for (let i = 0; i < 1 + random.below(4); i++) {
        const at = random.below(hostile.length);
        hostile = hostile.slice(0, at) + random.pick(bits) + hostile.slice(at + random.below(3));
      }
      expect(() => problems(hostile)).not.toThrow();
    }
    expect(problems(`allow: ${'['.repeat(200)}`)[0]).toContain('nested more than 100 deep');
    expect(problems(`allow: [{from: "a\\e[31m", to: "b\\e]0;x"}]`).join('\n')).not.toMatch(/\p{Cc}/u);
  });
});

const netAssert = (more: string) => `- name: t
  type: k8s
  targetPort: 8080
  src: {k8sResource: {kind: deployment, name: busybox, namespace: bb}}
  dst: {k8sResource: {kind: statefulset, name: web, namespace: web}}
${more}`;

describe('NetAssert', () => {
  test('tests are expectations; what is refused counts as it does there', () => {
    expect(read(netAssert('  exitCode: 0\n  timeoutSeconds: 269\n  attempts: 3\n')).list).toMatchObject([
      {
        verdict: 'allow',
        name: 't',
        from: { type: 'object', resource: kinds.Deployment, namespace: 'bb', name: 'busybox' },
        to: { type: 'object', resource: kinds.StatefulSet, namespace: 'web', name: 'web' },
        port: 8080,
        protocol: 'TCP',
        refusedMeans: 'deny',
      },
    ]);
    expect(read(netAssert('  exitCode: 1\n  protocol: udp\n')).list).toMatchObject([
      { verdict: 'deny', protocol: 'UDP', refusedMeans: 'allow' },
    ]);
  });

  test('hosts are addresses', () => {
    const text = netAssert('').replace(/ {2}dst:.*/, '  dst: {host: {name: 1.1.1.1}}');
    expect(read(text).list[0]!.to).toEqual({ type: 'ip', address: '1.1.1.1' });
    expect(problems(text.replace('1.1.1.1', 'example.com')).join()).toContain(
      'e.yaml:5:22: [0].dst.host.name: found the host "example.com", expected an address',
    );
  });

  test.each([
    ['[]', 'found no tests, expected at least one'],
    [netAssert('').replace('type: k8s', 'type: vm'), 'found "vm", expected k8s'],
    [netAssert('  exitCode: x\n'), 'found the string "x", expected a whole number from 0 to 255'],
    [netAssert('  attempts: 0\n'), 'found 0, expected a whole number from 1'],
    [netAssert('').replace('  targetPort: 8080\n', ''), 'found no targetPort, expected one'],
    [netAssert('').replace(/ {2}src:.*/, '  src: {host: {name: 1.1.1.1}}'), 'unknown field "host"'],
    [netAssert('').replace(/ {2}src:.*/, '  src: {}'), 'found nobody, expected k8sResource'],
    [netAssert('').replace('kind: deployment', 'kind: job'), 'found "job", expected deployment or statefulset'],
    [netAssert('') + netAssert(''), 'found a second test with the name "t"; rename one'],
    [
      netAssert('').replace(/ {2}dst: \{/, '  dst: {host: {name: 1.1.1.1}, '),
      'found host beside k8sResource, expected one of them',
    ],
  ])('%s is refused', (text, expected) => {
    const found = problems(text);
    expect(found.join('\n')).toContain(expected);
    expect(found).toHaveLength(1);
  });
});
