/** Watches: every change once and in order, from where a list left off; and readers who do not read. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { kinds } from '../../src/store/resources.ts';
import { configMap, ServedCluster } from '../api/served-cluster.ts';

const PATH = '/api/v1/namespaces/default/configmaps?watch=1';

interface Line {
  readonly type: string;
  readonly object: { readonly metadata: { readonly name: string }; readonly code?: number; readonly reason?: string };
}

/** Lines of a watch as they come. */
class Watcher {
  readonly response: IncomingMessage;
  readonly lines: Line[] = [];
  #rest = '';

  constructor(response: IncomingMessage) {
    this.response = response;
    response.on('error', () => {});
    response.setEncoding('utf8').on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop()!;
      this.lines.push(...lines.map((line) => JSON.parse(line) as Line));
    });
  }

  async has(count: number): Promise<string[]> {
    for (let i = 0; this.lines.length < count && i < 500; i++) await sleep(5);
    return this.lines.map(({ type, object }) => `${type} ${object.metadata.name}`);
  }
}

let served: ServedCluster;

beforeEach(async () => {
  served = await ServedCluster.start({ patienceMs: 1000, historyMax: 8 });
});

afterEach(() => served.close());

async function watch(query = ''): Promise<Watcher> {
  return new Watcher(await served.open(`${PATH}${query}`));
}

function relabel(name: string, labels: Record<string, string>): void {
  served.store.update(configMap(name, labels));
}

describe('a watch', () => {
  test('without a version begins with all there is', async () => {
    served.store.create(configMap('a'));
    const all = await watch();
    const zero = await watch('&resourceVersion=0');
    expect(await all.has(1)).toEqual(['ADDED a']);
    expect(await zero.has(1)).toEqual(['ADDED a']);
    served.store.create(configMap('b'));
    expect(await all.has(2)).toEqual(['ADDED a', 'ADDED b']);
  });

  test('from a version tells what came after it, each once, in order', async () => {
    served.store.create(configMap('a'));
    const version = served.store.resourceVersion;
    served.store.create(configMap('b'));
    relabel('b', { x: '1' });
    const watcher = await watch(`&resourceVersion=${version}`);
    await watcher.has(2);
    served.store.delete(kinds.ConfigMap, 'default', 'b');
    served.store.create(configMap('c', {}, 'elsewhere'));
    served.store.create({ ...configMap('d'), kind: 'Secret' });
    served.store.create(configMap('e'));
    expect(await watcher.has(4)).toEqual(['ADDED b', 'MODIFIED b', 'DELETED b', 'ADDED e']);
    expect(watcher.lines[2]!.object.metadata).toMatchObject({ resourceVersion: '4' });
  });

  test('with a selector sees objects come and go as they begin and cease to match', async () => {
    served.store.create(configMap('a', { app: 'web' }));
    served.store.create(configMap('b', { app: 'db' }));
    const watcher = await watch('&labelSelector=app%3Dweb');
    await watcher.has(1);
    relabel('b', { app: 'web' });
    relabel('b', { app: 'web', x: '1' });
    relabel('b', { app: 'db', x: '1' });
    relabel('b', { app: 'db', x: '2' });
    relabel('a', { app: 'db' });
    expect(await watcher.has(5)).toEqual(['ADDED a', 'ADDED b', 'MODIFIED b', 'DELETED b', 'DELETED a']);
    await sleep(50);
    expect(watcher.lines).toHaveLength(5);
  });

  test('of one object by its name', async () => {
    const watcher = await watch('&fieldSelector=metadata.name%3Da');
    served.store.create(configMap('b'));
    served.store.create(configMap('a'));
    expect(await watcher.has(1)).toEqual(['ADDED a']);
  });

  test('ends after timeoutSeconds', async () => {
    const { code, text } = await served.ask(`${PATH}&timeoutSeconds=1`);
    expect([code, text]).toEqual([200, '']);
  });

  test('from a version that is forgotten is 410 Gone', async () => {
    for (let i = 0; i < 12; i++) served.store.create(configMap(`c${i}`));
    const { code, text } = await served.ask(`${PATH}&resourceVersion=2`);
    expect(code).toBe(410);
    expect(JSON.parse(text)).toMatchObject({ kind: 'Status', code: 410, reason: 'Expired' });
  });

  test('leaves nothing behind when its reader goes', async () => {
    let listening = 0;
    const subscribe = served.store.subscribe.bind(served.store);
    served.store.subscribe = (listener) => {
      listening++;
      const stop = subscribe(listener);
      return () => {
        listening--;
        return stop();
      };
    };
    const watcher = await watch();
    expect(listening).toBe(1);
    watcher.response.destroy();
    for (let i = 0; listening > 0 && i < 200; i++) await sleep(5);
    expect(listening).toBe(0);
  });
});

describe('a reader who does not read', () => {
  const big = { data: { text: 'x'.repeat(1 << 18) } };

  test('is cut off, and nobody else is', async () => {
    const response = await served.open(PATH);
    response.pause();
    const other = await watch();
    const ended = new Promise((resolve) => response.on('error', () => {}).on('close', resolve));
    for (let i = 0; i < 6; i++) served.store.create({ ...configMap(`big${i}`), ...big });
    expect(await other.has(6)).toHaveLength(6);
    await sleep(1500); // longer than the server's patience
    response.resume();
    await ended;
    expect(response.complete).toBe(false);
    served.store.create(configMap('last'));
    expect((await other.has(7)).at(-1)).toBe('ADDED last');
  });

  test('is told when it comes back too late', async () => {
    served.close();
    served = await ServedCluster.start({ historyMax: 8 });
    const response = await served.open(PATH);
    response.pause();
    for (let i = 0; i < 6; i++) served.store.create({ ...configMap(`big${i}`), ...big });
    await sleep(50);
    for (let i = 0; i < 20; i++) served.store.create(configMap(`small${i}`));
    const watcher = new Watcher(response);
    response.resume();
    await once(response, 'end');
    const last = watcher.lines.at(-1)!;
    expect([last.type, last.object.code, last.object.reason]).toEqual(['ERROR', 410, 'Expired']);
  });
});
