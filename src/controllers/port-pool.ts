/** Node ports: numbers that no two Services may share for one protocol. */

export const NODE_PORT_MIN = 30_000;
export const NODE_PORT_MAX = 32_767;

/** Numbers below are left to those who name one (KEP-3668): min(max(16, size / 32), 128) of them. */
const DYNAMIC_MIN = NODE_PORT_MIN + 86;

export class PortPool {
  /** Port → how many Service ports have it: the same number may serve TCP and UDP. */
  readonly #users = new Map<number, Set<string>>();
  #next = DYNAMIC_MIN;

  /** False when another has the port for this protocol. */
  reserve(port: number, protocol: string): boolean {
    const users = this.#users.get(port) ?? new Set();
    if (users.has(protocol)) return false;
    this.#users.set(port, users.add(protocol));
    return true;
  }

  /** A port that nobody has for any protocol, now in use; undefined when all are taken. */
  take(protocol: string): number | undefined {
    const size = NODE_PORT_MAX - NODE_PORT_MIN + 1;
    for (let tries = 0; tries < size; tries++) {
      const port = this.#next++;
      if (this.#next > NODE_PORT_MAX) this.#next = NODE_PORT_MIN; // the lower ones only when the upper are taken
      if (this.#users.has(port)) continue;
      this.reserve(port, protocol);
      return port;
    }
    return undefined;
  }

  release(port: number, protocol: string): void {
    const users = this.#users.get(port);
    users?.delete(protocol);
    if (users?.size === 0) this.#users.delete(port);
  }
}
