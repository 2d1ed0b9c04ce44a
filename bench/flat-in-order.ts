/**
 * The rival: the same rules in order, one after the other until one matches, as kube-proxy's iptables mode has them
 * (pkg/proxy/iptables/proxier.go of Kubernetes). A list of Services (address, protocol, port); of each a list of endpoints,
 * of which every rule but the last takes its share of what comes to it (`statistic --mode random --probability 1/n`, then
 * 1/(n-1), …); a chain of policies (network, ports). Connections are none of it: kube-proxy's are the kernel's conntrack,
 * which is a hash table too.
 */
const SERVICE_WORDS = 4;
const ENDPOINT_WORDS = 3;
const POLICY_WORDS = 4;
const CONNECTION_WORDS = 4;

export class RulesInOrder {
  /** Address, protocol << 16 | port, first endpoint, endpoints. */
  readonly #services: Int32Array;
  /** Address, port, probability in units of 2^-32. */
  readonly #endpoints: Int32Array;
  /** Network, mask, first port, last port. */
  readonly #policies: Int32Array;
  #serviceWords = 0;
  #endpointWords = 0;
  #policyWords = 0;
  #random = 1;

  constructor(services: number, endpoints: number, policies: number) {
    this.#services = new Int32Array(services * SERVICE_WORDS);
    this.#endpoints = new Int32Array(endpoints * ENDPOINT_WORDS);
    this.#policies = new Int32Array(policies * POLICY_WORDS);
  }

  addService(address: number, protocolPort: number, endpoints: readonly number[], port: number): void {
    this.#services.set([address, protocolPort, this.#endpointWords, endpoints.length], this.#serviceWords);
    this.#serviceWords += SERVICE_WORDS;
    for (const [i, endpoint] of endpoints.entries()) {
      const probability = Math.min(0xffff_ffff, Math.floor(2 ** 32 / (endpoints.length - i)));
      this.#endpoints.set([endpoint, port, probability | 0], this.#endpointWords);
      this.#endpointWords += ENDPOINT_WORDS;
    }
  }

  addPolicy(network: number, mask: number, first: number, last: number): void {
    this.#policies.set([network, mask, first, last], this.#policyWords);
    this.#policyWords += POLICY_WORDS;
  }

  /** What rules say to a connection's first packet: index of the endpoint that it goes to, or negative: denied. */
  decide(destination: number, ports: number, protocol: number): number {
    const service = this.findService(destination, (protocol << 16) | (ports & 0xffff));
    if (service < 0) return -2;
    const endpoint = this.chooseEndpoint(service);
    return this.allows(this.#endpoints[endpoint]!, this.#endpoints[endpoint + 1]!) ? endpoint : -1;
  }

  /** Place of the Service, or -1. */
  findService(address: number, protocolPort: number): number {
    const services = this.#services;
    for (let at = 0; at < services.length; at += SERVICE_WORDS) {
      if (services[at] === address && services[at + 1] === protocolPort) return at;
    }
    return -1;
  }

  /** Is the address with the port one of the Service's endpoints? @param service as `findService` gave it. */
  hasEndpoint(service: number, address: number, port: number): boolean {
    const endpoints = this.#endpoints;
    const first = this.#services[service + 2]!;
    const end = first + this.#services[service + 3]! * ENDPOINT_WORDS;
    for (let at = first; at < end; at += ENDPOINT_WORDS) {
      if (endpoints[at] === address && endpoints[at + 1] === port) return true;
    }
    return false;
  }

  allows(address: number, port: number): boolean {
    const policies = this.#policies;
    if (policies.length === 0) return true;
    for (let at = 0; at < policies.length; at += POLICY_WORDS) {
      if ((address & policies[at + 1]!) !== policies[at]) continue;
      if (port >= policies[at + 2]! && port <= policies[at + 3]!) return true;
    }
    return false;
  }

  /** Every rule draws for itself, as `statistic` does. */
  chooseEndpoint(service: number): number {
    const last = this.#services[service + 2]! + (this.#services[service + 3]! - 1) * ENDPOINT_WORDS;
    let at = this.#services[service + 2]!;
    while (at < last && this.#draw() >= this.#endpoints[at + 2]! >>> 0) at += ENDPOINT_WORDS;
    return at;
  }

  /** 32 random bits: Marsaglia's xorshift, which Linux uses a relative of (lib/random32.c). */
  #draw(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return x >>> 0;
  }
}

/** Connections in a list, as nobody has them: only so that it can be seen what a table spares. */
export class ListOfConnections {
  /** Source, destination, ports, protocol; two for each connection, one for each direction. */
  readonly #words: Int32Array;
  #used = 0;

  constructor(connections: number) {
    this.#words = new Int32Array(connections * 2 * CONNECTION_WORDS);
  }

  add(source: number, destination: number, ports: number, protocol: number): void {
    const reversed = (ports << 16) | (ports >>> 16);
    const words = [source, destination, ports, protocol, destination, source, reversed, protocol];
    this.#words.set(words, this.#used);
    this.#used += words.length;
  }

  has(source: number, destination: number, ports: number, protocol: number): boolean {
    const words = this.#words;
    for (let at = 0; at < words.length; at += CONNECTION_WORDS) {
      if (words[at] !== source || words[at + 1] !== destination) continue;
      if (words[at + 2] === ports && words[at + 3] === protocol) return true;
    }
    return false;
  }
}
