/** The meter as others run it: a process, orders on its standard input, answers on its standard output. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { missing } from '../support/requires.ts';

const root = new URL('../../', import.meta.url).pathname;
/** Beside the packages that it loads. */
const program = `${root}node_modules/.cache/meter-test-${process.pid}.mjs`;
const need = missing('linux');

type Answer = Record<string, number | string | boolean | null | Record<string, number>>;

class Meter {
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
  stderr = '';
  readonly #lines: AsyncIterator<string>;

  constructor(...words: readonly string[]) {
    this.process = spawn(process.execPath, [program, ...words], { stdio: 'pipe' });
    this.process.stderr!.on('data', (bytes) => {
      this.stderr += bytes;
    });
    this.ended = new Promise((resolve) => this.process.on('close', resolve));
    this.#lines = createInterface({ input: this.process.stdout! })[Symbol.asyncIterator]();
    running.push(this);
  }

  async answer(): Promise<Answer> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`it has ended: ${this.stderr}`);
    return JSON.parse(value);
  }

  say(text: string): void {
    this.process.stdin!.write(text);
  }

  order(order: object): Promise<Answer> {
    this.say(`${JSON.stringify(order)}\n`);
    return this.answer();
  }

  /** Ends its standard input. */
  end(): Promise<number | null> {
    this.process.stdin!.end();
    return this.ended;
  }
}

const running: Meter[] = [];

async function server(...words: readonly string[]): Promise<{ meter: Meter; port: string }> {
  const meter = new Meter(...words, '--port', '0');
  const { ready, port } = await meter.answer();
  expect(ready).toBe(true);
  return { meter, port: String(port) };
}

/** What the sink has counted, once all has arrived. */
async function counted(sink: Meter, packets: number): Promise<Answer> {
  for (let i = 0; ; i++) {
    const report = await sink.order({ report: true });
    if ((report['packets'] as number) >= packets || i > 50) return report;
  }
}

beforeAll(async () => {
  await build({
    entryPoints: [`${root}src/measure/meter.ts`],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
});
afterEach(async () => {
  for (const meter of running.splice(0)) {
    meter.process.kill('SIGKILL');
    await meter.ended;
  }
});
afterAll(() => rmSync(program, { force: true }));

describe.skipIf(need !== undefined)(`${need === undefined ? '' : `(needs ${need}) `}the meter`, () => {
  for (const to of ['127.0.0.1', '::1']) {
    test(`echo and ping, ${to}: every round trip is counted`, async () => {
      const { meter, port } = await server('echo');
      const ping = new Meter('ping', '--to', to, '--port', port);
      const trips = await ping.order({ count: 300, size: 100, quantiles: 5 });
      expect(trips).toMatchObject({ count: 300, lost: 0 });
      const { minUs, p50Us, p90Us, p99Us, maxUs } = trips as Record<string, number>;
      const sorted = [minUs!, p50Us!, p90Us!, p99Us!, maxUs!];
      expect(sorted).toEqual(sorted.toSorted((a, b) => a - b));
      expect(minUs).toBeGreaterThan(0);
      expect(trips['quantilesUs']).toMatchObject([minUs, expect.any(Number), p50Us, expect.any(Number), maxUs]);
      expect(Object.keys(await ping.order({ count: 1 })).sort()).toEqual(
        ['count', 'lost', 'minUs', 'p50Us', 'p90Us', 'p99Us', 'maxUs'].sort(),
      );
      expect(await ping.end()).toBe(0);
      expect(await meter.end()).toBe(0);
    });

    test(`blast and sink, ${to}: each datagram, its bytes, and none twice`, async () => {
      const { meter, port } = await server('sink');
      const blast = new Meter('blast', '--to', to, '--port', port);
      const sent = await blast.order({ pps: 3000, seconds: 0.3, size: 200 });
      const packets = sent['sent'] as number;
      // A machine that stands still for a while makes it fewer: nothing is caught up with.
      expect(packets).toBeGreaterThan(0);
      expect(packets).toBeLessThanOrEqual(900);
      expect(sent['bytes']).toBe(200 * packets);
      expect(await counted(meter, packets)).toEqual({ packets, bytes: 200 * packets, duplicates: 0, reordered: 0 });
      expect(await meter.order({ reset: true })).toEqual({ reset: true });
      expect(await meter.order({ report: true })).toEqual({ packets: 0, bytes: 0, duplicates: 0, reordered: 0 });
    });
  }

  for (const gro of [false, true]) {
    test(`blast --segment, sink${gro ? ' --gro' : ''}: datagrams of rows count one by one`, async () => {
      const { meter, port } = await server('sink', ...(gro ? ['--gro'] : []));
      const blast = new Meter('blast', '--to', '127.0.0.1', '--port', port, '--segment');
      for (const size of [64, 1400]) {
        await meter.order({ reset: true });
        const sent = (await blast.order({ pps: 50_000, seconds: 0.1, size }))['sent'] as number;
        expect(sent).toBeGreaterThan(0);
        expect(sent).toBeLessThanOrEqual(5000);
        expect(await counted(meter, sent)).toEqual({ packets: sent, bytes: size * sent, duplicates: 0, reordered: 0 });
      }
    });
  }

  test('two senders with the same sequence numbers: copies are seen', async () => {
    const { meter, port } = await server('sink');
    const blasts = [1, 2].map(() => new Meter('blast', '--to', '127.0.0.1', '--port', port));
    const counts: number[] = [];
    for (const blast of blasts) counts.push((await blast.order({ pps: 1000, seconds: 0.05 }))['sent'] as number);
    const report = await counted(meter, counts[0]! + counts[1]!);
    expect(report['duplicates']).toBe(Math.min(...counts));
  });

  test('stream: both ends count the same bytes, connection by connection', async () => {
    const { meter, port } = await server('stream-sink');
    for (const to of ['127.0.0.1', '::1']) {
      const stream = new Meter('stream', '--to', to, '--port', port);
      const sent = await stream.order({ seconds: 0.05 });
      expect(sent['bytes']).toBeGreaterThan(0);
      expect((await meter.answer())['bytes']).toBe(sent['bytes']);
    }
    expect(await meter.end()).toBe(0);
  });

  test('a sink that is told a first number does not count earlier ones', async () => {
    const { meter, port } = await server('sink');
    const blast = new Meter('blast', '--to', '127.0.0.1', '--port', port);
    await meter.order({ reset: true, first: 10 });
    const { sent, next } = (await blast.order({ pps: 1000, seconds: 0.05 })) as { sent: number; next: number };
    expect(next).toBe(sent);
    expect(sent).toBeGreaterThan(10);
    expect(await counted(meter, sent - 10)).toMatchObject({ packets: sent - 10, duplicates: 0, reordered: 0 });
  });

  test('stream with intervals: as many as the time has, however late each comes', async () => {
    const { meter, port } = await server('stream-sink');
    const stream = new Meter('stream', '--to', '127.0.0.1', '--port', port);
    const intervals: Record<string, number>[] = [];
    let answer = await stream.order({ seconds: 0.6, interval: 0.3 });
    for (; answer['interval'] !== undefined; answer = await stream.answer()) {
      intervals.push(answer['interval'] as Record<string, number>);
    }
    expect(intervals).toHaveLength(2);
    const seconds = intervals.reduce((sum, interval) => sum + interval['seconds']!, 0);
    expect(seconds).toBeCloseTo(answer['seconds'] as number);
    await meter.answer();
  });

  test('an answer that takes longer than ping is told to wait is lost', async () => {
    const slow = createSocket('udp4');
    slow.on('message', (bytes, from) => setTimeout(() => slow.send(bytes, from.port, from.address), 300));
    await new Promise<void>((resolve) => slow.bind(0, '127.0.0.1', resolve));
    const words = ['ping', '--to', '127.0.0.1', '--port', String(slow.address().port)];
    expect(await new Meter(...words).order({ count: 1 })).toMatchObject({ lost: 1 });
    expect(await new Meter(...words, '--timeout', '5000').order({ count: 1 })).toMatchObject({ lost: 0 });
    slow.close();
  });

  test('stream with intervals: they add up', async () => {
    const { meter, port } = await server('stream-sink');
    const stream = new Meter('stream', '--to', '127.0.0.1', '--port', port);
    let answer = await stream.order({ seconds: 0.45, interval: 0.1 });
    let bytes = 0;
    for (; answer['interval'] !== undefined; answer = await stream.answer()) {
      bytes += (answer['interval'] as Record<string, number>)['bytes']!;
    }
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(answer['bytes'] as number);
    expect((await meter.answer())['bytes']).toBe(answer['bytes']);
  });

  test('an answer to something else is no round trip', async () => {
    const stranger = createSocket('udp4');
    stranger.on('message', (bytes, from) => {
      bytes.writeUInt32BE(bytes.readUInt32BE() + 1);
      stranger.send(bytes, from.port, from.address);
    });
    await new Promise<void>((resolve) => stranger.bind(0, '127.0.0.1', resolve));
    const ping = new Meter('ping', '--to', '127.0.0.1', '--port', String(stranger.address().port));
    expect(await ping.order({ count: 2 })).toMatchObject({ count: 2, lost: 2 });
    stranger.close();
  });

  test('where nobody listens: lost, not sent, refused; and the next order is taken', async () => {
    const { meter, port } = await server('stream-sink');
    await meter.end();
    const ping = new Meter('ping', '--to', '127.0.0.1', '--port', port);
    expect(await ping.order({ count: 20 })).toMatchObject({ count: 20, lost: 20, minUs: null, maxUs: null });
    const blast = new Meter('blast', '--to', '127.0.0.1', '--port', port);
    expect((await blast.order({ pps: 1000, seconds: 0.02 }))['sent']).toBeGreaterThan(0);
    const stream = new Meter('stream', '--to', '127.0.0.1', '--port', port);
    expect((await stream.order({ seconds: 0.02 }))['error']).toMatch(/ECONNREFUSED/);
    expect((await stream.order({ seconds: 0.02 }))['error']).toMatch(/ECONNREFUSED/);
  });

  test('hostile orders are answered by an error each, and a good one is still obeyed', async () => {
    const { meter, port } = await server('sink');
    const hostile = [
      '{',
      'null',
      '[]',
      '7',
      '"report"',
      '{}',
      '{"report":1}',
      '{"report":true,"reset":true}',
      '{"__proto__":true}',
      '{"toString":true}',
      '\u0000\ufffd',
      'x'.repeat(100_000),
      `{"report":true${' '.repeat(10_000)}}`,
    ];
    meter.say(hostile.map((line) => `${line}\n`).join(''));
    for (const line of hostile) expect(await meter.answer(), line.slice(0, 20)).toEqual({ error: expect.any(String) });
    // In pieces, with what is no line at all in between.
    for (const piece of ['\n \n', '{"rep', 'ort":tr', 'ue}\n']) meter.say(piece);
    expect(await meter.answer()).toMatchObject({ packets: 0 });

    const blast = new Meter('blast', '--to', '127.0.0.1', '--port', port);
    for (const order of [
      { pps: -1, seconds: 1 },
      { pps: 1, seconds: 1e9 },
      { pps: 1, seconds: 0 },
      { pps: 1, seconds: 1, size: 3 },
      { pps: 1, seconds: 1, size: 70_000 },
      { pps: 1, seconds: 1, size: 64.5 },
      { pps: '1', seconds: 1 },
      { pps: 1 },
    ]) {
      expect(await blast.order(order), JSON.stringify(order)).toEqual({ error: expect.any(String) });
    }
  });

  test('orders that came before the end of standard input are obeyed, the last one without its newline too', async () => {
    const { port } = await server('echo');
    const ping = new Meter('ping', '--to', '127.0.0.1', '--port', port);
    ping.say('{"count":3}\n{"count":4}');
    const code = ping.end();
    expect([(await ping.answer())['count'], (await ping.answer())['count']]).toEqual([3, 4]);
    expect(await code).toBe(0);
  });

  test('wrong usage is exit code 2 and the usage; a port that is taken is exit code 1', async () => {
    const wrong = new Meter('ping', '--to', 'localhost', '--port', '1');
    expect(await wrong.ended).toBe(2);
    expect(wrong.stderr).toMatch(/--to wants an IP address\nusage: meter ROLE/);
    const { port } = await server('sink');
    const second = new Meter('sink', '--port', port);
    expect(await second.ended).toBe(1);
    expect(second.stderr).toMatch(/EADDRINUSE/);
  });
});
