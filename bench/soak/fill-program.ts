/**
 * Many flows, from a pod: `--to A --port P --from N --flows F [--rate R]` sends one datagram from each of `F` source
 * ports from `N` on (again from the first after the last, with `--rounds`), at most `R` a second.
 */
import { parseArgs } from 'node:util';
import { close } from '../../src/sys/io.ts';
import { bindUdp } from '../../src/sys/listen.ts';
import { DatagramMessage } from './datagram-message.ts';
import { tell } from './sockets.ts';

const { values } = parseArgs({
  options: {
    to: { type: 'string', default: '' },
    port: { type: 'string', default: '5003' },
    from: { type: 'string', default: '1024' },
    flows: { type: 'string', default: '1' },
    rate: { type: 'string', default: '20000' },
    rounds: { type: 'string', default: '1' },
  },
});
const flows = Number(values.flows);
const message = new DatagramMessage();
message.to(values.to, Number(values.port));
const any = values.to.includes(':') ? '::' : '0.0.0.0';
const startMs = performance.now();
let sent = 0;
for (let round = 0; round < Number(values.rounds); round++) {
  for (let i = 0; i < flows; i++, sent++) {
    const aheadMs = (1000 * (round * flows + i)) / Number(values.rate) - (performance.now() - startMs);
    if (aheadMs > 5) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, aheadMs);
    let fd: number;
    try {
      fd = bindUdp(any, Number(values.from) + i);
    } catch {
      continue; // somebody else's port
    }
    message.send(fd, 1);
    close(fd);
  }
}
tell({ type: 'sent', bytes: sent, datagrams: sent });
