import { describe, expect, test } from 'vitest';
import { ListOfConnections, RulesInOrder } from '../../bench/flat-in-order.ts';
import { type Answer, plotOf, report, rowWords } from '../../bench/flat-report.ts';

const [TCP, UDP] = [6, 17];
const PORTS = (40_000 << 16) | 80;

describe('the rival', () => {
  test('rules in order: the Service, one of its endpoints, a policy that lets it through', () => {
    const rules = new RulesInOrder(2, 4, 1);
    rules.addService(1, (TCP << 16) | 80, [10, 11], 8080);
    rules.addService(2, (TCP << 16) | 80, [20, 21], 9000);
    rules.addPolicy(8, -8, 8000, 8999);
    expect([0, 3]).toContain(rules.decide(1, PORTS, TCP));
    expect(rules.decide(2, PORTS, TCP)).toBe(-1);
    expect(rules.decide(3, PORTS, TCP)).toBe(-2);
    expect(rules.decide(1, PORTS, UDP)).toBe(-2);
  });

  test('a list of connections has both directions', () => {
    const list = new ListOfConnections(2);
    list.add(1, 2, PORTS, UDP);
    expect(list.has(1, 2, PORTS, UDP)).toBe(true);
    expect(list.has(2, 1, (80 << 16) | 40_000, UDP)).toBe(true);
    expect(list.has(1, 2, PORTS, TCP)).toBe(false);
    expect(list.has(2, 1, PORTS, UDP)).toBe(false);
  });
});

describe('the report', () => {
  const size = { services: 10, endpoints: 10, policies: 0, flows: 1, listed: true };
  const figures = { ours: { best: 1, median: 2 }, inOrder: { best: 3, median: 4 } };
  const row = { size, ...figures, servicesMs: 1, oneServiceMs: 1, policiesMs: 1, megabytes: 1, denied: 0 };
  const answer = (name: 'flows' | 'services', noise: readonly string[] = []): Answer => ({
    question: { name, x: name, sizes: [size], place: ({ flows }) => flows },
    rows: [row, { ...row, size: { ...size, flows: 10 } }],
    noise,
  });

  test('says that a list of connections is nobody’s', () => {
    expect(rowWords(answer('flows'))[0]!.join('|')).toContain('list of connections (nobody has one), ns');
    expect(rowWords(answer('services'))[0]!.join('|')).toContain('|in order, ns (best)|');
    expect(report([answer('flows')], 1).sentences[0]).toContain('in a list of connections, which nobody has,');
    expect(report([answer('services')], 1).sentences[0]).toContain('looking it up in order');
    expect(plotOf(answer('flows'))).toContain('a list that nobody has');
  });

  test('marks what is not to be trusted', () => {
    const noisy = answer('services', ['other processes used 1.5 cores']);
    expect(report([noisy], 1).markdown).toContain('**NOISY, not to be trusted: other processes used 1.5 cores**');
    expect(plotOf(noisy)).toContain('NOISY');
    expect(report([answer('services')], 1).markdown).not.toContain('NOISY');
  });
});
