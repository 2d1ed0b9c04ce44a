import { describe, expect, test } from 'vitest';
import { answer, hostPort, type WorkloadRequest } from '../../src/workload/answer.ts';

const pod = { name: 'web-1', namespace: 'shop', node: 'n2', hostname: 'web', addresses: ['10.244.1.5', 'fd00::5'] };

function ask(target: string, more: Partial<WorkloadRequest> = {}) {
  return answer(pod, {
    method: 'GET',
    target,
    headers: [],
    bodyBytes: 0,
    remote: '10.244.0.9:40000',
    ready: true,
    ...more,
  });
}

describe('the answer to a request', () => {
  test.each([
    ['/hostname', 200, 'web-1'],
    ['/hostname?x=/echo', 200, 'web-1'],
    ['http://web.shop/hostname', 200, 'web-1'],
    ['HTTPS://web?x', 200, undefined],
    ['/clientip', 200, '10.244.0.9:40000'],
    ['/echo?msg=a%20b+c', 200, 'a b c'],
    ['/echo?msg=%E2%82%AC', 200, '€'],
    ['/echo?msg=%zz&msg=2', 200, '%zz'],
    ['/echo', 200, ''],
    ['/healthz', 200, 'ok'],
    ['*', 200, undefined],
    ['', 200, undefined],
    ['//x//?', 200, undefined],
  ])('%s', (target, status, body) => {
    const answered = ask(target);
    expect(answered.status).toBe(status);
    if (body !== undefined) expect(answered.body).toBe(body);
    else expect(answered.headers['content-type']).toBe('application/json');
    expect(answered.headers['content-length']).toBe(String(Buffer.byteLength(answered.body)));
  });

  test('a pod that is not ready says so on /healthz alone', () => {
    expect(ask('/healthz', { ready: false })).toMatchObject({ status: 503, body: 'not ready' });
    expect(ask('/hostname', { ready: false })).toMatchObject({ status: 200 });
  });

  test('any other path tells of the request', () => {
    const headers: [string, string][] = [
      ['Host', 'web'],
      ['X-Forwarded-For', '192.0.2.1'],
      ['x-forwarded-for', '192.0.2.2'],
      ['__proto__', 'p'],
    ];
    const { body } = ask('/a/b?c=d', { method: 'POST', headers, bodyBytes: 12 });
    expect(body).toContain('"__proto__": "p"');
    expect(JSON.parse(body)).toMatchObject({
      method: 'POST',
      path: '/a/b',
      target: '/a/b?c=d',
      headers: { host: 'web', 'x-forwarded-for': '192.0.2.1, 192.0.2.2' },
      bodyBytes: 12,
      pod: 'web-1',
      namespace: 'shop',
      node: 'n2',
      ip: '10.244.1.5',
      remote: '10.244.0.9:40000',
    });
  });

  test.each([
    ['10.0.0.1', '10.0.0.1:80'],
    ['::ffff:10.0.0.1', '10.0.0.1:80'],
    ['::ffff:a00:1', '[::ffff:a00:1]:80'],
    ['fd00::1', '[fd00::1]:80'],
  ])('client %s', (address, text) => {
    expect(hostPort(address, 80)).toBe(text);
  });
});
