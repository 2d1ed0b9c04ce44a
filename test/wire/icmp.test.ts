import { describe, expect, test } from 'vitest';
import * as icmp from '../../src/wire/icmp.ts';
import { buildFrame } from '../support/frames.ts';
import { bytesAt, viewOf, written } from '../support/touched.ts';

const allTypes = Array.from({ length: 256 }, (_, type) => type);

test('reads type, code and identifier', () => {
  const view = viewOf(buildFrame({ protocol: 'icmp', icmpType: 13, icmpCode: 5, identifier: 0xfedc }));
  expect([icmp.icmpType(view, 34), icmp.icmpCode(view, 34), icmp.icmpIdentifier(view, 34)]).toEqual([13, 5, 0xfedc]);
});

test('the identifier is written and nothing else', () => {
  expect(written(12, (view) => icmp.icmpSetIdentifier(view, 2, 0xfedc))).toEqual(bytesAt(6, 0xfe, 0xdc));
});

describe('CT-043 a query is answered by its inverse type', () => {
  const pairs4 = new Map([8, 0, 13, 14, 15, 16, 17, 18].map((type, i, list) => [type, list[i ^ 1]!]));
  const pairs6 = new Map([128, 129, 139, 140].map((type, i, list) => [type, list[i ^ 1]!]));

  test.each([
    ['ICMP', 4, pairs4],
    ['ICMPv6', 6, pairs6],
  ] as const)('%s, all 256 types', (_, version, pairs) => {
    const got = allTypes.map((type) => icmp.icmpInverse(type, version));
    expect(got).toEqual(allTypes.map((type) => pairs.get(type) ?? -1));
  });
});

describe('CT-042 only a request opens a flow', () => {
  test('ICMP: echo, timestamp, information and address mask requests', () => {
    expect(allTypes.filter((type) => icmp.icmpOpensFlow(type, 4))).toEqual([8, 13, 15, 17]);
  });

  test('ICMPv6: the echo request', () => {
    expect(allTypes.filter((type) => icmp.icmpOpensFlow(type, 6))).toEqual([128, 139]);
  });

  test('what opens a flow can be answered', () => {
    for (const version of [4, 6]) {
      for (const type of allTypes.filter((each) => icmp.icmpOpensFlow(each, version))) {
        const answer = icmp.icmpInverse(type, version);
        expect(icmp.icmpInverse(answer, version)).toBe(type);
        expect(icmp.icmpOpensFlow(answer, version)).toBe(false);
      }
    }
  });
});

test('CT-045 RFC 1122 section 3.2.2: the ICMP types that quote a packet', () => {
  expect(allTypes.filter((type) => icmp.icmpIsError(type))).toEqual([3, 4, 5, 11, 12]);
});

test('RFC 4443 section 2.1: ICMPv6 errors have the high bit clear', () => {
  expect(allTypes.filter((type) => icmp.icmpv6IsError(type))).toEqual(allTypes.slice(0, 128));
});
