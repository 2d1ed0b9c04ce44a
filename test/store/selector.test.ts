import { describe, expect, test } from 'vitest';
import {
  hasLabels,
  matches,
  parseFieldSelector,
  parseLabelSelector,
  requirementsOf,
} from '../../src/store/selector.ts';

const labels = { app: 'web', tier: 'front', 'example.com/size': '10', empty: '' };

describe('label selectors', () => {
  const cases: readonly (readonly [text: string, holds: boolean])[] = [
    ['', true],
    ['app=web', true],
    ['app==web', true],
    ['app = db', false],
    ['app!=db', true],
    ['app!=web', false],
    ['missing!=x', true],
    ['app in (db, web)', true],
    ['app in (db)', false],
    ['app notin (db)', true],
    ['app notin (db,web)', false],
    ['missing notin (x)', true],
    ['app', true],
    ['missing', false],
    ['!missing', true],
    ['!app', false],
    ['example.com/size>9', true],
    ['example.com/size>10', false],
    ['example.com/size<11', true],
    ['app>1', false],
    ['empty=', true],
    ['app=web,tier in (front,back),!x', true],
    ['app=web,tier=back', false],
    ['toString', false],
  ];
  for (const [text, holds] of cases) {
    test(`${text || 'nothing'} ${holds ? 'selects' : 'does not select'}`, () => {
      expect(matches(parseLabelSelector(text), labels)).toBe(holds);
    });
  }

  for (const text of ['a=b=c', '=x', 'a in b', 'a,', '-a', 'a=-', 'a>x', 'a in (b', 'é=1', 'a/b/c=1']) {
    test(`${text} is refused`, () => expect(() => parseLabelSelector(text)).toThrow(/in a label selector, expected/));
  }

  test('of objects: all of matchLabels and matchExpressions; an unknown operator never holds', () => {
    const selector = { matchLabels: { app: 'web' }, matchExpressions: [{ key: 'tier', operator: 'Exists' }] };
    expect(matches(requirementsOf(selector), labels)).toBe(true);
    expect(matches(requirementsOf(selector), { app: 'web' })).toBe(false);
    expect(matches(requirementsOf({}), undefined)).toBe(true);
    expect(matches([{ key: 'app', operator: 'Like', values: ['web'] }], labels)).toBe(false);
  });

  test('hasLabels asks for all of them', () => {
    expect(hasLabels({ app: 'web', tier: 'front' }, labels)).toBe(true);
    expect(hasLabels({ app: 'web', tier: 'back' }, labels)).toBe(false);
    expect(hasLabels({ a: 'b' }, undefined)).toBe(false);
  });
});

describe('field selectors', () => {
  test('are refused for fields that the kind is not selected by', () => {
    expect(parseFieldSelector('metadata.name=a', 'ConfigMap')).toEqual([
      { path: 'metadata.name', equal: true, value: 'a' },
    ]);
    expect(() => parseFieldSelector('spec.nodeName=a', 'ConfigMap')).toThrow(
      'field label not supported: "spec.nodeName"',
    );
    expect(() => parseFieldSelector('spec.nodeName', 'Pod')).toThrow('in a field selector, expected');
  });
});
