import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startProbes } from '../../src/nodes/probes.ts';
import { Workloads } from '../../src/nodes/workloads.ts';
import { listenTcp } from '../../src/sys/listen.ts';
import { inNamespace } from '../../src/sys/namespace.ts';
import { missing } from '../support/requires.ts';
import { TestPod, tcp } from './workload-pod.ts';

const lacks = missing('linux', 'root', 'tun');
const often = { periodSeconds: 0.02, timeoutSeconds: 1, successThreshold: 1, failureThreshold: 1 };

type Probes = Parameters<typeof startProbes>[0]['probes'];

/** Probes a pod from its own namespace, which stands in for the node's. */
function probed(pod: TestPod, probes: Probes) {
  const seen = { changes: [] as boolean[], lines: [] as string[], stop: () => {} };
  seen.stop = startProbes({
    nodeNamespacePath: pod.path,
    address: pod.spec.addresses[0]!,
    probes,
    onReady: (ready) => seen.changes.push(ready),
    log: (line) => seen.lines.push(line),
  });
  onTestFinished(seen.stop);
  return seen;
}

function started(pod: TestPod): Workloads {
  const workloads = new Workloads({ graceMs: 10 });
  workloads.start(pod.spec);
  onTestFinished(() => workloads.stop(pod.spec));
  return workloads;
}

describe.skipIf(lacks)(`readiness probes${lacks ? ` (skipped: ${lacks})` : ''}`, () => {
  test('httpGet follows the status, with the headers of the probe', async () => {
    const pod = new TestPod('web', ['10.244.0.2'], [tcp(8080)]);
    const workloads = started(pod);
    workloads.setReady(pod.spec, false);
    const seen = probed(pod, [{ ...often, httpGet: { path: '/healthz', port: 8080 } }]);
    await expect.poll(() => seen.lines).toContain('readiness probe failed: status 503');
    expect(seen.changes).toEqual([]);
    workloads.setReady(pod.spec, true);
    await expect.poll(() => seen.changes).toEqual([true]);
    workloads.setReady(pod.spec, false);
    await expect.poll(() => seen.changes).toEqual([true, false]);
    seen.stop();
    expect(workloads.logs(pod.spec)).toMatch(/10\.244\.0\.2:\d+ GET \/healthz 200/);
  });

  test('tcpSocket: a port that opens and closes', async () => {
    const pod = new TestPod('web', ['10.244.0.2'], [tcp(9000)]);
    const seen = probed(pod, [{ ...often, tcpSocket: { port: 9000 } }]);
    await expect.poll(() => seen.lines.join()).toContain('ECONNREFUSED');
    const workloads = started(pod);
    await expect.poll(() => seen.changes).toEqual([true]);
    await workloads.stop(pod.spec);
    await expect.poll(() => seen.changes).toEqual([true, false]);
  });

  test('a pod is ready when all of its probes succeed; exec and grpc do', async () => {
    const pod = new TestPod('web', ['10.244.0.2'], [tcp(9000), tcp(9001)]);
    started(pod);
    const one = { ...often, tcpSocket: { port: 9000 } };
    const programs = [
      { ...often, exec: { command: ['true'] } },
      { ...often, grpc: { port: 1 } },
    ];
    const good = probed(pod, [one, { ...often, httpGet: { port: 9001, path: '/' } }, ...programs]);
    const bad = probed(pod, [one, { ...often, tcpSocket: { port: 9002 } }]);
    await expect.poll(() => good.changes).toEqual([true]);
    await expect.poll(() => bad.lines.length).toBeGreaterThan(3);
    expect(bad.changes).toEqual([]);
  });

  test('thresholds count results in a row', async () => {
    const pod = new TestPod('web', ['10.244.0.2'], [tcp(8080)]);
    const workloads = started(pod);
    const thresholds = { ...often, successThreshold: 3, failureThreshold: 4 };
    const seen = probed(pod, [{ ...thresholds, httpGet: { path: '/healthz', port: 8080 } }]);
    await expect.poll(() => seen.changes, { interval: 1 }).toEqual([true]);
    const asked = workloads.logs(pod.spec)!.match(/GET \/healthz 200/g)!.length;
    expect(asked).toBeGreaterThanOrEqual(3);
    workloads.setReady(pod.spec, false);
    await expect.poll(() => seen.changes, { interval: 1 }).toEqual([true, false]);
    expect(seen.lines).toHaveLength(4);
  });

  test('who does not answer in time has failed; a host that is no address too', async () => {
    const pod = new TestPod('web', ['10.244.0.2'], []);
    const silent = createServer(() => {}).listen({
      fd: inNamespace(pod.network, 'net', () => listenTcp('0.0.0.0', 80, 10)),
    });
    onTestFinished(() => void silent.close());
    const httpGet = { path: '/', port: 80 };
    const slow = probed(pod, [{ ...often, timeoutSeconds: 0.05, httpGet }]);
    const badHeader = probed(pod, [
      { ...often, timeoutSeconds: 0.1, httpGet: { ...httpGet, httpHeaders: [{ name: 'bad name', value: '' }] } },
    ]);
    const nowhere = probed(pod, [{ ...often, httpGet: { ...httpGet, host: 'example.com' } }]);
    await expect.poll(() => slow.lines).toContain('readiness probe failed: no answer in time');
    await expect.poll(() => nowhere.lines.join()).toContain('not an IP address');
    await expect.poll(() => badHeader.lines.join()).toContain('must be a valid HTTP token');
    expect([...slow.changes, ...badHeader.changes, ...nowhere.changes]).toEqual([]);
  });

  test('the probe has the kubelet’s headers, and its own instead', async () => {
    const pod = new TestPod('web', ['10.244.0.2'], []);
    const requests: string[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (bytes) => {
        requests.push(bytes.toString());
        socket.end('HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n');
      });
    }).listen({ fd: inNamespace(pod.network, 'net', () => listenTcp('0.0.0.0', 80, 10)) });
    onTestFinished(() => void server.close());
    const httpHeaders = [{ name: 'Host', value: 'web.example' }];
    const seen = probed(pod, [{ ...often, httpGet: { path: '/ready?x', port: 80, httpHeaders } }]);
    await expect.poll(() => seen.changes).toEqual([true]);
    expect(requests[0]).toMatch(/^GET \/ready\?x HTTP\/1.1\r\n/);
    expect(requests[0]).toContain('User-Agent: kube-probe/1.30\r\nAccept: */*\r\n');
    expect(requests[0]).toContain('Host: web.example\r\n');
    expect(requests[0]).not.toContain('10.244.0.2');
  });
});
