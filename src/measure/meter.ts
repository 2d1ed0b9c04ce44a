/**
 * The meter: an ordinary program at one end of a connection, which sends, answers or counts, and tells in numbers what
 * happened. It runs in any network namespace, and needs no cluster. METER_USAGE is its whole manual.
 */
import { METER_USAGE, type MeterArguments, readMeterArguments } from './arguments.ts';
import { runStream, runStreamSink } from './tcp-stream.ts';
import { runBlast } from './udp-blast.ts';
import { runEcho } from './udp-echo.ts';
import { runPing } from './udp-ping.ts';
import { runSink } from './udp-sink.ts';

const roles: Readonly<Record<MeterArguments['role'], (given: MeterArguments) => void>> = {
  echo: ({ port }) => runEcho(port),
  ping: ({ to, port, timeoutMs }) => runPing(to, port, timeoutMs),
  sink: ({ port, gro }) => runSink(port, gro),
  blast: ({ to, port, segment }) => runBlast(to, port, segment),
  'stream-sink': ({ port }) => runStreamSink(port),
  stream: ({ to, port }) => runStream(to, port),
};

function main(): void {
  let given: MeterArguments;
  try {
    given = readMeterArguments(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`meter: ${(error as Error).message}\n${METER_USAGE}`);
    process.exitCode = 2;
    return;
  }
  try {
    roles[given.role](given);
  } catch (error) {
    process.stderr.write(`meter: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}

main();
