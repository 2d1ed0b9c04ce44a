/** Random NetworkPolicy specs: most values are good, so that a bad one is not hidden behind others. */
import type { Random } from '../../support/random.ts';

type Json = unknown;

/** One in so many values is of those that may be wrong. */
const ODD_EVERY = 12;

const good = {
  key: ['a', 'app', 'app.kubernetes.io/name', 'A_b.C', 'x'.repeat(63), `${'d.'.repeat(126)}d/k`],
  value: ['', 'web', 'A-1', '1', 'v'.repeat(63), 'a..b'],
  port: [1, 80, 8080, 65535, 'http', '8a', 'a-b-c', 'a23456789012345'],
  protocol: ['TCP', 'UDP', 'SCTP', null],
  type: ['Ingress', 'Egress'],
  cidr: [
    '0.0.0.0/0',
    '10.0.0.0/8',
    '10.1.0.0/16',
    '10.1.2.3/32',
    '::/0',
    'fd00::/8',
    'fd00:10::/32',
    'FD00:0:0::1/128',
  ],
} as const;

const odd = {
  key: ['', 'a b', '-a', 'a/', '/a', 'a/b/c', 'A.b/c', 'x'.repeat(64), `${'d.'.repeat(127)}d/k`, 7, null],
  value: ['-', 'a b', 'v'.repeat(64), '.a', 7, true],
  port: [0, -1, 65536, 2 ** 31, 80.5, '', '80', 'HTTP', 'a--b', '-a', 'a-', 'a_b', 'a234567890123456', true, [80]],
  protocol: ['', 'tcp', 'ANY', 'ICMP', 6],
  type: ['', 'ingress', 'Both', 1],
  cidr: [
    ...[
      '',
      '10.0.0.0',
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0.1/8',
      '10.0.0.0/08',
      '010.0.0.0/8',
      '10.0.0/24',
      '/8',
      'all',
    ],
    ...['fd00::/129', 'fd00::1/64', '::ffff:10.0.0.0/104', 'fe80::%eth0/64', 'fd00::/8/8', ' 10.0.0.0/8', 10, null],
  ],
} as const;

export function randomSpec(random: Random): Json {
  const isOdd = () => random.once(ODD_EVERY);
  const one = (name: keyof typeof good): Json => random.pick<Json>(isOdd() ? odd[name] : good[name]);
  const maybe = (name: string, make: () => Json, every = 2) => (random.once(every) ? { [name]: make() } : {});
  const some = (make: () => Json, max = 2) => Array.from({ length: random.below(max + 1) }, make);
  const stray = () => (random.once(150) ? { stray: 1 } : {});
  const requirement = () => {
    const operator = random.pick(['In', 'NotIn', 'Exists', 'DoesNotExist']);
    const wantsValues = operator.endsWith('In') !== isOdd();
    const values = wantsValues ? [one('value'), ...some(() => one('value'), 1)] : random.pick([undefined, [], null]);
    return { key: one('key'), operator: isOdd() ? random.pick(['', 'in', 'Gt']) : operator, values, ...stray() };
  };
  const selector = () => ({
    ...maybe('matchLabels', () => Object.fromEntries([[String(one('key')), one('value')]])),
    ...maybe('matchExpressions', () => some(requirement)),
    ...stray(),
  });
  const block = () => {
    const [cidr, except] = random.pick([
      ['10.0.0.0/8', '10.1.0.0/16'],
      ['0.0.0.0/0', '0.0.0.0/1'],
      ['fd00::/8', 'fd00:1::/32'],
      [one('cidr'), one('cidr')],
    ]);
    return { cidr, ...maybe('except', () => [except]), ...stray() };
  };
  const peer = () => {
    if (random.once(3)) return { ipBlock: block(), ...(isOdd() ? { podSelector: {} } : {}) };
    const both = { podSelector: selector(), namespaceSelector: selector() };
    const name = random.pick(['podSelector', 'namespaceSelector'] as const);
    return isOdd() ? {} : random.once(2) ? both : { [name]: both[name], ...stray() };
  };
  const port = () => {
    const port = one('port');
    const end = isOdd() ? one('port') : typeof port === 'number' ? Math.min(port + random.below(3), 65535) : undefined;
    return { ...maybe('protocol', () => one('protocol')), port, ...maybe('endPort', () => end, 3), ...stray() };
  };
  const rule = (side: string) => ({
    ...maybe('ports', () => some(port)),
    ...maybe(side, () => some(peer)),
    ...stray(),
  });
  return {
    ...maybe('podSelector', selector),
    ...maybe('ingress', () => some(() => rule('from'))),
    ...maybe('egress', () => some(() => rule('to'))),
    ...maybe('policyTypes', () => some(() => one('type'), isOdd() ? 4 : 2)),
    ...stray(),
  };
}
