import { expect, test } from 'vitest';
import { manglesUdpSuperframes } from '../../src/sys/kernel-faults.ts';

test.each([
  ['6.18.44', false],
  ['7.0.0-rc1', true],
  ['7.0.12-200.fc44.x86_64', true],
  ['7.1', true],
  ['7.1.4-arch1', true],
  ['7.1.5', false],
  ['7.2.0', false],
  ['8.0.1', false],
])('Linux %s spoils UDP superframes: %s', (release, faulty) => expect(manglesUdpSuperframes(release)).toBe(faulty));
