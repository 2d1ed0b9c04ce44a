/** Linux's ip_local_port_range. */
const EPHEMERAL_FIRST = 32_768;
const EPHEMERAL_COUNT = 28_232;
const PORT_MAX = 65_535;

/** Who has which port of one protocol. */
export class PortTable<Owner> {
  readonly #owners = new Map<number, Owner>();
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  get(port: number): Owner | undefined {
    return this.#owners.get(port);
  }

  /** @throws RangeError for a number that is no port, or one that is taken. */
  open(port: number, owner: Owner): void {
    if (!Number.isInteger(port) || port < 1 || port > PORT_MAX) throw new RangeError(`not a port: ${port}`);
    if (this.#owners.has(port)) throw new RangeError(`port ${port} is in use`);
    this.#owners.set(port, owner);
  }

  close(port: number): void {
    this.#owners.delete(port);
  }

  /** A random one for somebody who does not care (RFC 6056 section 3.3.1); undefined when all are taken. */
  freePort(taken: (port: number) => boolean = () => false): number | undefined {
    const start = (this.#random() >>> 0) % EPHEMERAL_COUNT;
    for (let i = 0; i < EPHEMERAL_COUNT; i++) {
      const port = EPHEMERAL_FIRST + ((start + i) % EPHEMERAL_COUNT);
      if (!this.#owners.has(port) && !taken(port)) return port;
    }
    return undefined;
  }
}
