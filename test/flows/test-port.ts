/** The kernel's end of a pod's wire, played by a test: a listening SOCK_SEQPACKET socket where the node connects. */
import { close, read, write } from '../../src/sys/io.ts';
import { addressOf, check, checkReturned, libc } from '../../src/sys/libc.ts';
import { openSocket, SocketType } from '../../src/sys/socket.ts';
import { unixAddress } from '../../src/sys/unix.ts';

type SocketCall = (fd: number, address: number, length: number) => number;

const bind = libc.func('int bind(int fd, uintptr_t address, uint32_t length)') as SocketCall;
const listen = libc.func('int listen(int fd, int backlog)') as (fd: number, backlog: number) => number;
const accept = libc.func('int accept4(int fd, uintptr_t address, uintptr_t length, int flags)') as (
  fd: number,
  address: number,
  length: number,
  flags: number,
) => number;

const AF_UNIX = 1;
const FLAGS = SocketType.nonBlocking | SocketType.closeOnExec;
const READ_MAX = 70_000;

export class TestPort {
  /** Frames that the node has sent, oldest first, as from a TAP. */
  readonly received: Uint8Array[] = [];
  readonly #listener: number;
  #fd = -1;
  readonly #buffer = Buffer.alloc(READ_MAX);

  constructor(path: string) {
    const address = unixAddress(path);
    this.#listener = openSocket(AF_UNIX, SocketType.seqpacket | FLAGS, 0);
    check(bind(this.#listener, addressOf(address), address.length), `bind(${path})`);
    check(listen(this.#listener, 1), `listen(${path})`);
  }

  /** Once the node has connected. */
  accept(): void {
    this.#fd = check(accept(this.#listener, 0, 0, FLAGS), 'accept4');
  }

  send(bytes: Uint8Array): void {
    checkReturned(write(this.#fd, addressOf(bytes), bytes.length), 'write(test port)');
  }

  /** Reads what has come; returns how many frames. */
  drain(): number {
    let count = 0;
    for (;;) {
      const n = read(this.#fd, addressOf(this.#buffer), READ_MAX);
      if (n <= 0) return count;
      this.received.push(Uint8Array.from(this.#buffer.subarray(0, n)));
      count++;
    }
  }

  close(): void {
    close(this.#listener);
    if (this.#fd >= 0) close(this.#fd);
  }
}
