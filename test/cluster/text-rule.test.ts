import { describe, expect, test } from 'vitest';
import {
  annotationKey,
  dnsLabel,
  dnsSubdomain,
  labelKey,
  labelValue,
  nodeName,
  portName,
} from '../../src/cluster/text-rule.ts';

const a = (count: number) => 'a'.repeat(count);
const rules = {
  dnsLabel: {
    rule: dnsLabel,
    holds: ['a', '1', 'a-b', a(63)],
    not: ['', 'A', 'a.b', '-a', 'a-', a(64), 'a_b', 'a\n', 'ä'],
  },
  dnsSubdomain: {
    rule: dnsSubdomain,
    holds: ['a', 'a.b', 'a-1.b-2', `${a(63)}.${a(63)}.${a(63)}.${a(61)}`, a(253)],
    not: ['', 'a..b', '.a', 'a.', 'a.-b', a(254), '../etc', '/abs', 'a b', '$(x)'],
  },
  nodeName: { rule: nodeName, holds: ['n1', 'ip-10-0-0-1.ec2.internal', a(63)], not: [a(64), 'N1', ''] },
  portName: {
    rule: portName,
    holds: ['http', 'a', 'p2p', 'http-alt', '80a', a(15)],
    not: ['', '80', 'HTTP', 'a--b', '-a', 'a-', a(16)],
  },
  labelKey: {
    rule: labelKey,
    holds: ['app', 'App_1.x', 'app.kubernetes.io/name', a(63), `${a(253)}/${a(63)}`],
    not: ['', '/', 'a/', '/a', 'a/b/c', 'App.Io/name', '_a', 'a_', '__proto__', a(64), 'a b', `${a(254)}/a`],
  },
  annotationKey: { rule: annotationKey, holds: ['Example.com/Note', 'podwire.dev/run'], not: ['__proto__', 'a b', ''] },
  labelValue: { rule: labelValue, holds: ['', 'a', 'A_b.c-1', a(63)], not: ['-', 'a ', '_a', a(64), 'a/b', 'a\n'] },
};

for (const [name, { rule, holds, not }] of Object.entries(rules)) {
  describe(name, () => {
    for (const text of holds) test(`holds of ${text.slice(0, 30)}`, () => expect(rule.holds(text)).toBe(true));
    for (const text of not) {
      test(`not of ${JSON.stringify(text.slice(0, 30))}`, () => expect(rule.holds(text)).toBe(false));
    }
  });
}
