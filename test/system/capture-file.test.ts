/** Real files, FIFOs, pipes, devices and full disks. */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CaptureFile, DiskFull, openCaptureFile, ReaderGone } from '../../src/capture/capture-file.ts';
import { PcapngWriter } from '../../src/capture/pcapng-writer.ts';
import { readBytes } from '../capture/build.ts';
import { missing } from '../support/requires.ts';

const folder = mkdtempSync(join(tmpdir(), 'podwire-places-'));
const inFolder = (name: string) => join(folder, name);
afterAll(() => rmSync(folder, { recursive: true }));

const run = (program: string, ...words: string[]) => spawnSync(program, words, { encoding: 'utf8' });
const PACKET_LEN = 1000;

/** Blocks of so many packets; the first have the section's beginning in front. */
function blocks(count: number): Uint8Array {
  const w = new PcapngWriter({ application: 'test' });
  w.addInterface({ name: 'a', description: '' });
  const bytes = Uint8Array.from({ length: PACKET_LEN }, (_, i) => i);
  const rest = { at: 0, len: PACKET_LEN, originalLen: PACKET_LEN, outgoing: false, packetId: 0, dropped: 0 };
  for (let i = 0; i < count; i++) {
    w.packet({ interface: 0, timeHigh: 0, timeLow: i, bytes, ...rest, comment: undefined });
  }
  return w.take();
}

describe('a regular file', () => {
  test('is created with the mode that the umask leaves', async () => {
    const path = inFolder('new');
    const file = await openCaptureFile(path);
    file.write(Uint8Array.of(1, 2));
    file.write(Uint8Array.of(3));
    file.close();
    file.close();
    expect([...readFileSync(path)]).toEqual([1, 2, 3]);
    expect(statSync(path).mode & 0o777).toBe(0o666 & ~process.umask());
  });

  test('is truncated when it is there, also through a symbolic link', async () => {
    writeFileSync(inFolder('old'), 'something long');
    symlinkSync('old', inFolder('link'));
    (await openCaptureFile(inFolder('link'))).close();
    expect(statSync(inFolder('old')).size).toBe(0);
    expect(lstatSync(inFolder('link')).isSymbolicLink()).toBe(true);
  });
});

describe('refused', () => {
  const server = createServer();
  beforeAll(async () => {
    mkdirSync(inFolder('folder'));
    writeFileSync(inFolder('file'), 'kept');
    symlinkSync('nowhere/at/all', inFolder('dangling'));
    server.listen(inFolder('socket'));
    await once(server, 'listening');
  });
  afterAll(() => server.close());

  test.each([
    ['a folder', inFolder('folder'), `a directory; name a file in it, such as ${inFolder('folder/capture.pcapng')}`],
    ['no folder', inFolder('no/file'), `its folder is not there; make it: mkdir -p ${inFolder('no')}`],
    ['a file as folder', inFolder('file/x'), `${inFolder('file')} is no folder`],
    ['a socket', inFolder('socket'), 'a socket; name a file'],
    ['a link to nowhere', inFolder('dangling'), 'a symbolic link to where no folder is'],
    ['a name that is too long', inFolder('x'.repeat(300)), 'cannot be written (ENAMETOOLONG'],
  ])('%s', async (_, path, reason) => {
    await expect(openCaptureFile(path)).rejects.toMatchObject({
      name: 'Refusal',
      message: expect.stringContaining(`${path}: ${reason}`),
    });
  });

  test('an empty name', async () => {
    await expect(openCaptureFile('')).rejects.toThrow('the name of the capture file is empty');
  });

  test.skipIf(missing('linux'))('a terminal', async () => {
    await expect(openCaptureFile('/dev/ptmx')).rejects.toMatchObject({ name: 'Refusal', message: /a terminal/ });
  });

  const device = inFolder('disk');
  const made = run('mknod', device, 'b', '7', '250').status === 0;
  test.skipIf(!made)(`a block device${made ? '' : ' (needs mknod)'}`, async () => {
    await expect(openCaptureFile(device)).rejects.toThrow(`${device}: a block device`);
  });

  test('no permission', async () => {
    const file = inFolder('file');
    const user = process.getuid!();
    chmodSync(file, 0o444);
    // Root may write anything: be somebody else for as long as opening takes.
    if (user === 0) process.seteuid!(65_534);
    const opening = openCaptureFile(file);
    if (user === 0) process.seteuid!(user);
    await expect(opening).rejects.toMatchObject({ name: 'Refusal', message: expect.stringContaining('not writable') });
    expect(readFileSync(file, 'utf8')).toBe('kept');
  });
});

describe.skipIf(missing('linux'))('a device', () => {
  test('/dev/null takes everything', async () => {
    const file = await openCaptureFile('/dev/null');
    file.write(blocks(10));
    file.close();
  });

  test('/dev/full is a full disk, now and later', async () => {
    const file = await openCaptureFile('/dev/full');
    const path = '/dev/full';
    const errors = [1, 2].map(() => {
      try {
        return file.write(blocks(1));
      } catch (error) {
        return error;
      }
    });
    expect(errors[0]).toMatchObject({ name: 'DiskFull', path, bytesKept: 0 });
    expect(errors[1]).toBe(errors[0]);
    file.close();
  });
});

describe('a FIFO', () => {
  let fifos = 0;
  function fifo(): string {
    const path = inFolder(`fifo${fifos++}`);
    expect(run('mkfifo', path).status).toBe(0);
    return path;
  }
  /** A shell with the FIFO as its input, and what it says in the end. */
  function reader(path: string, script: string) {
    const child = spawn('sh', ['-c', `exec < "$1"; ${script}`, 'sh', path], { stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    child.stdout.on('data', (chunk) => {
      said += chunk;
    });
    return once(child, 'close').then(() => said);
  }

  test('is waited for until somebody reads, and loses nothing to a reader that pauses', async () => {
    const path = fifo();
    const opening = openCaptureFile(path);
    expect(await Promise.race([opening, setTimeout(250, 'waits')])).toBe('waits');
    const said = reader(path, 'sleep 0.3; head -c 100000 | sha256sum; sleep 0.2; sha256sum');
    const file = await opening;
    const bytes = blocks(1000);
    file.write(bytes.subarray(0, 500_000));
    file.write(bytes.subarray(500_000));
    expect(file.waiting).toBeGreaterThan(bytes.length - 200_000); // a pipe holds 64 KiB
    await file.settled();
    expect(file.waiting).toBe(0);
    file.close();
    const sum = (part: Uint8Array) => `${createHash('sha256').update(part).digest('hex')}  -\n`;
    expect(await said).toBe(sum(bytes.subarray(0, 100_000)) + sum(bytes.subarray(100_000)));
  });

  test('that nobody reads can be given up', async () => {
    const abort = new AbortController();
    const opening = openCaptureFile(fifo(), abort.signal);
    abort.abort();
    await expect(opening).rejects.toMatchObject({ name: 'AbortError' });
  });

  test.each([
    ['dies before it reads', ':'],
    ['dies in the middle', 'head -c 200000 > /dev/null'],
    ['is killed', '(sleep 0.2; kill -9 $$) & sleep 5'],
  ])('whose reader %s', async (_, script) => {
    const path = fifo();
    const done = reader(path, script.replace('sleep 5', 'exec sleep 5'));
    const file = await openCaptureFile(path);
    await expect(writeALot(file)).rejects.toThrow(ReaderGone);
    await expect(file.settled()).rejects.toThrow(ReaderGone);
    expect(() => file.write(Uint8Array.of(1))).toThrow(`${path}: nobody reads any more`);
    file.close();
    await done;
  });

  async function writeALot(file: CaptureFile): Promise<void> {
    const bytes = blocks(100);
    for (let i = 0; i < 100; i++) {
      file.write(bytes);
      await file.settled();
    }
  }
});

/** What `script` of sh says: in it, `$write PATH PACKETS` writes them, and says on standard error what came of it. */
function shell(script: string, wrap: readonly string[] = []) {
  const source = (name: string) => JSON.stringify(new URL(`../../src/capture/${name}.ts`, import.meta.url).href);
  const program = `
    const { openCaptureFile } = await import(${source('capture-file')});
    const { PcapngWriter } = await import(${source('pcapng-writer')});
    const [path, count] = process.argv.slice(1);
    const w = new PcapngWriter({ application: 'test' });
    w.addInterface({ name: 'a', description: '' });
    const bytes = new Uint8Array(${PACKET_LEN});
    const rest = { at: 0, len: ${PACKET_LEN}, originalLen: ${PACKET_LEN}, outgoing: false, packetId: 0, dropped: 0 };
    try {
      const file = await openCaptureFile(path);
      for (let i = 0; i < Number(count); i++) {
        w.packet({ interface: 0, timeHigh: 0, timeLow: i, bytes, ...rest });
        if (w.length > 100_000) file.write(w.take());
      }
      file.write(w.take());
      await file.settled();
      file.close();
      process.stderr.write('done');
    } catch (error) {
      process.stderr.write(error.name + '|' + error.bytesKept + '|' + error.message);
    }`;
  const env = { ...process.env, TSX_DISABLE_CACHE: '1', PROGRAM: program, NODE: process.execPath };
  const write = 'write="$NODE --import tsx --input-type=module --eval \\"\\$PROGRAM\\" --"';
  const words = [...wrap, 'sh', '-c', `${write}; ${script.replaceAll('$write', 'eval "$write"')}`];
  const { stdout, stderr } = spawnSync(words[0]!, words.slice(1), { env, maxBuffer: 1 << 28 });
  return { bytes: new Uint8Array(stdout), said: stderr.toString() };
}

async function packetsIn(bytes: Uint8Array): Promise<number> {
  const { packets, error } = await readBytes(bytes);
  expect(error).toBeUndefined();
  return packets.length;
}

describe('standard output', () => {
  test('is a pipe whose reader is slow', async () => {
    const { bytes, said } = shell('$write - 3000 | (sleep 1; cat)');
    expect(said).toBe('done');
    expect(await packetsIn(bytes)).toBe(3000);
  });

  test('is a pipe whose reader has had enough', () => {
    const { bytes, said } = shell('$write - 3000 | head -c 100');
    expect(said).toBe('ReaderGone|undefined|standard output: nobody reads any more');
    expect(bytes).toHaveLength(100);
  });

  test('is a socket', async () => {
    // What Node gives to children is one.
    const { bytes, said } = shell('$write - 3000');
    expect(said).toBe('done');
    expect(await packetsIn(bytes)).toBe(3000);
  });

  test('is a file that has something in it already', async () => {
    const path = inFolder('appended');
    const { said } = shell(`printf 1234 > ${path}; $write - 10 >> ${path}`);
    expect(said).toBe('done');
    expect(await packetsIn(readFileSync(path).subarray(4))).toBe(10);
  });
});

describe('a full disk', () => {
  async function cutBehindWhole({ bytes, said }: ReturnType<typeof shell>, code: string, path: string): Promise<void> {
    const [name, kept, message] = said.split('|');
    expect(name).toBe('DiskFull');
    expect(message).toBe(`${path}: no space left (${code}); the capture ends after ${kept} bytes`);
    expect(bytes).toHaveLength(Number(kept));
    // All but a part of a packet.
    expect(bytes.length).toBeGreaterThan(200 * 1024 - PACKET_LEN - 100);
    expect(await packetsIn(bytes)).toBe(Math.floor(bytes.length / (PACKET_LEN + 44)));
  }

  const root = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  test.skipIf(missing('vessel'))('keeps the whole blocks that fit', async () => {
    const path = join(folder, 'small', 'full.pcapng');
    const script = `mkdir -p ${folder}/small && mount -t tmpfs -o size=200k none ${folder}/small && $write ${path} 300; cat ${path}`;
    await cutBehindWhole(shell(script, ['unshare', ...root, '--mount']), 'ENOSPC', path);
  });

  test.skipIf(missing('vessel'))('keeps what was in the file of standard output', async () => {
    const path = join(folder, 'small', 'appended');
    const script = `mkdir -p ${folder}/small && mount -t tmpfs -o size=200k none ${folder}/small && printf 1234 > ${path} && $write - 300 >> ${path}; tail -c +5 ${path}`;
    await cutBehindWhole(shell(script, ['unshare', ...root, '--mount']), 'ENOSPC', 'standard output');
  });

  test('is what a limit of the file size comes to', async () => {
    const path = inFolder('limited');
    // In units of 512 bytes.
    await cutBehindWhole(shell(`(ulimit -f 400; $write ${path} 300); cat ${path}`), 'EFBIG', path);
  });

  test('is a DiskFull', () => {
    const cause = Object.assign(new Error('x'), { code: 'EDQUOT' });
    expect(new DiskFull('a', 12, cause)).toMatchObject({ path: 'a', bytesKept: 12, cause });
  });
});
