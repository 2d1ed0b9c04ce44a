/** One message of sendmsg(2) or recvmsg(2): a datagram, or a row of them. Laid out once, used again and again. */
import { receiveMessage, sendMessage } from '../../src/sys/io.ts';
import { SOL_UDP, UDP_GRO } from '../../src/sys/udp.ts';
import { Message } from '../../test/sys/message.ts';

const BYTES = 65_536;

export class DatagramMessage extends Message<Buffer> {
  constructor() {
    super(Buffer.alloc(BYTES, 0xa5));
  }

  /** @param segment 0, or into what the kernel cuts it. @returns bytes sent, or the negative errno. */
  send(fd: number, length: number, segment = 0): number {
    return sendMessage(fd, this.first(length).segmented(segment).address, 0);
  }

  /** @returns bytes received, or the negative errno. */
  receive(fd: number): number {
    return receiveMessage(fd, this.first(BYTES).withSender().withControl().address, 0);
  }

  /** Of `length` bytes received. @returns how many datagrams they were. */
  eachDatagram(length: number, visit: (datagram: Buffer) => void): number {
    const segment = this.#rowStride() || length;
    let count = 0;
    do {
      visit(this.payload.subarray(count * segment, Math.min(length, (count + 1) * segment)));
      count++;
    } while (count * segment < length);
    return count;
  }

  /** What UDP_GRO has put together, or 0. */
  #rowStride(): number {
    const { control } = this;
    return control?.level === SOL_UDP && control.type === UDP_GRO ? control.value : 0;
  }
}
