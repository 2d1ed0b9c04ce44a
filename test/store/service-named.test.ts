import { expect, test } from 'vitest';
import type { Service } from '../../src/store/object.ts';
import { clusterIpOf, hasPort } from '../../src/store/service-named.ts';

const service = (spec: object) => ({ metadata: { name: 's' }, spec }) as Service;

test('a port is meant by its number, also as text, or by its name', () => {
  const web = service({ ports: [{ port: 80, name: 'http' }, { port: 443 }] });
  for (const port of [80, '80', 'http', 443, '443']) expect([port, hasPort(web, port)]).toEqual([port, true]);
  for (const port of [81, '8', 'htt', '']) expect([port, hasPort(web, port)]).toEqual([port, false]);
  expect(hasPort(service({}), 80)).toBe(false);
});

test('a headless Service has no address, nor one that waits for its own', () => {
  expect(clusterIpOf(service({ clusterIP: '10.96.0.7' }))).toBe('10.96.0.7');
  for (const clusterIP of ['None', '', undefined]) expect(clusterIpOf(service({ clusterIP }))).toBeUndefined();
});
