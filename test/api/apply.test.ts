/** Documents by `POST /apis/podwire.dev/v1/apply` and `/delete`; and requests that nobody decent sends. */
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { APPLY_BODY_MAX, APPLY_PATH, DELETE_PATH } from '../../src/api/apply.ts';
import { type Answer, ServedCluster } from './served-cluster.ts';

let served: ServedCluster;

beforeEach(async () => {
  served = await ServedCluster.start();
});

afterEach(() => served.close());

const POST = { method: 'POST' };

const post = (path: string, body: unknown): Promise<Answer> => served.ask(path, POST, JSON.stringify(body));

function yaml(name: string, value = '1'): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {a: "${value}"}\n`;
}

describe('apply', () => {
  test('says what became of each object', async () => {
    const apply = (text: string) => post(APPLY_PATH, { namespace: 'shop', files: [{ file: 'x.yaml', text }] });
    const object = { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'shop', name: 'a' };
    expect(JSON.parse((await apply(yaml('a'))).text)).toEqual({
      results: [{ ...object, result: 'created' }],
      notes: [],
      problems: [],
    });
    expect(JSON.parse((await apply(yaml('a'))).text)).toMatchObject({ results: [{ result: 'unchanged' }] });
    expect(JSON.parse((await apply(yaml('a', '2'))).text)).toMatchObject({ results: [{ result: 'configured' }] });
    const files = [{ file: 'x.yaml', text: `${yaml('a')}---\n${yaml('b')}` }];
    const { results } = JSON.parse((await post(DELETE_PATH, { namespace: 'shop', files })).text);
    expect(results).toMatchObject([
      { name: 'a', result: 'deleted' },
      { name: 'b', result: 'not found' },
    ]);
  });

  test('hands on whether to wait', async () => {
    for (const wait of [undefined, true, false]) await post(APPLY_PATH, { files: [], wait });
    await post(DELETE_PATH, { files: [], wait: false });
    expect(served.cluster.waits).toEqual([undefined, true, false, false]);
  });

  test('refuses with every problem, one a line', async () => {
    const files = [
      { file: 'a.yaml', text: 'apiVersion: v1\nkind: Pod\nmetadata: {name: A_B}\n' },
      { file: 'b.yaml', text: 'hello' },
    ];
    const { code, text } = await post(APPLY_PATH, { files });
    const { reason, message } = JSON.parse(text) as { reason: string; message: string };
    expect([code, reason]).toEqual([422, 'Invalid']);
    expect(message).toMatch(/^a\.yaml:3:\d+: metadata\.name: /m);
    expect(message).toMatch(/^b\.yaml:1:1: /m);
  });

  test.each([
    ['no JSON', '{', 'the body is not JSON'],
    ['nothing', '', 'the body is not JSON'],
    ['a list', '[]', 'the body: expected an object with files'],
    ['null', 'null', 'the body: expected'],
    ['no files', '{}', 'files: expected a list'],
    ['files that are none', '{"files":[1]}', 'files: expected a list'],
    ['a file without text', '{"files":[{"file":"a"}]}', 'files: expected a list'],
    ['a file whose text is none', '{"files":[{"file":"a","text":{}}]}', 'files: expected a list'],
    ['a namespace that is none', '{"files":[],"namespace":"A/B"}', 'namespace: expected'],
    ['a namespace of the wrong type', '{"files":[],"namespace":1}', 'namespace: expected'],
    ['a wait that is neither', '{"files":[],"wait":"no"}', 'wait: expected true or false'],
    ['an unknown field', '{"files":[],"dryRun":true}', 'the field "dryRun": expected'],
    ['a prototype', '{"files":[],"__proto__":{}}', 'the field "__proto__": expected'],
  ])('refuses %s', async (_, body, message) => {
    const { code, text } = await served.ask(APPLY_PATH, POST, body);
    expect(code).toBe(400);
    expect(JSON.parse(text).message).toContain(message);
    expect(served.cluster.waits).toEqual([]);
  });
});

describe('hostile requests', () => {
  /** What the server answers to bytes, until it has nothing more to say. */
  function raw(bytes: string): Promise<string> {
    return new Promise((resolve) => {
      let said = '';
      const socket = connect(served.socketPath);
      socket.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      socket.on('error', () => {}).on('close', () => resolve(said));
      socket.write(bytes);
    });
  }

  test('a body that says it is too long is not read', async () => {
    const head = `POST ${APPLY_PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: ${APPLY_BODY_MAX + 1}\r\n\r\n`;
    const said = await raw(head);
    expect(said).toMatch(/^HTTP\/1\.1 413 /);
    expect(said).toMatch(/connection: close/i);
    expect(said).toContain('"reason":"RequestEntityTooLarge"');
  });

  test('a body that goes on and on is cut off, where bodies are small', async () => {
    const chunk = `1000\r\n${'x'.repeat(0x1000)}\r\n`;
    const path = '/apis/podwire.dev/v1/links/n1/n2';
    served.cluster.nodes.set('n1', {} as never).set('n2', {} as never);
    const said = await raw(
      `PATCH ${path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n${chunk.repeat(20)}`,
    );
    expect(said).toMatch(/^HTTP\/1\.1 413 /);
  });

  test.each([
    ['no HTTP', 'hello\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['a path that is none', 'GET * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', /^HTTP\/1\.1 404 /],
    ['a whole address', 'GET http://x/version HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', /^HTTP\/1\.1 404 /],
    ['a path up', 'GET /api/../../etc HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', /^HTTP\/1\.1 404 /],
    ['a method that is none', 'BREW /version HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['another method', 'PURGE /version HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n', /^HTTP\/1\.1 405 /],
    [
      'an upgrade to nothing',
      'GET / HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n',
      /^HTTP\/1\.1 404 /,
    ],
    [
      'an upgrade of a bad path',
      'GET /%zz HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: h2c\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
    [
      'names of the language',
      'GET /apis/__proto__ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
      /^HTTP\/1\.1 404 /,
    ],
  ])('%s', async (_, bytes, answer) => {
    expect(await raw(bytes)).toMatch(answer);
    expect((await served.ask('/healthz')).text).toBe('ok');
  });

  test('a fault of ours is 500, in words, and the next request is answered', async () => {
    const { write } = process.stderr;
    let logged = '';
    process.stderr.write = ((text: string) => {
      logged += text;
      return true;
    }) as never;
    served.store.list = () => {
      throw new Error('planted');
    };
    const { code, text } = await served.ask('/api/v1/pods').finally(() => {
      process.stderr.write = write;
    });
    expect([code, JSON.parse(text).reason, JSON.parse(text).message]).toEqual([500, 'InternalError', 'planted']);
    expect(logged).toMatch(/planted\n\s+at /);
    expect((await served.ask('/healthz')).text).toBe('ok');
  });
});
