/** Ports of rules that no pod at hand serves: names that nobody has, a Service's numbers, the wrong protocol. */
import type { NetworkPolicyPort } from 'kubernetes-types/networking/v1.d.ts';
import { nearestWord } from '../cluster/nearest-word.ts';
import type { Service } from '../store/object.ts';
import { listed, plain } from './explain-words.ts';
import type { WorldPod } from './policy-world.ts';
import type { ClusterFacts, DeclaredPort, Scene } from './warning-scene.ts';

/** Pods of one note. */
const PODS_MAX = 3;

interface Declared extends DeclaredPort {
  readonly pod: WorldPod;
}

/** A Service's port, and what pods see of it. */
interface Translated {
  readonly service: Service;
  readonly target: number;
}

/** The ports of some pods. */
interface PortsThere {
  readonly pods: readonly WorldPod[];
  /** Of pods that declare the same, the first. */
  readonly byName: ReadonlyMap<string, readonly Declared[]>;
  readonly byNumber: ReadonlyMap<number, readonly Declared[]>;
  /** By `port/protocol` of Services that select some of them; of those with the same target, the first. */
  readonly translated: ReadonlyMap<string, readonly Translated[]>;
}

export class PortWarnings {
  readonly #facts: ClusterFacts;
  readonly #scene: Scene;
  /** Lists of pods are the same ones again and again. */
  readonly #there = new WeakMap<readonly WorldPod[], PortsThere>();
  #services: ReadonlyMap<WorldPod, readonly Service[]> | undefined;

  constructor(facts: ClusterFacts, scene: Scene) {
    this.#facts = facts;
    this.#scene = scene;
  }

  /**
   * A port by name is what the server at hand calls it (NP-018, NP-019).
   *
   * @param servers lists of pods as the scene gives them
   * @param whose `selected pod`
   * @param isBrief without what might have been meant, which takes its time
   */
  name(
    { port: name, protocol = 'TCP' }: NetworkPolicyPort & { readonly port: string },
    servers: readonly (readonly WorldPod[])[],
    whose: string,
    isBrief: boolean,
  ): string | undefined {
    if (servers.every((pods) => pods.length === 0)) return undefined; // that was told
    const there = servers.map((pods) => this.#portsOf(pods));
    const namesakes = there.flatMap(({ byName }) => byName.get(name) ?? []);
    if (namesakes.some((port) => port.protocol === protocol)) return undefined;
    const message = `no ${whose} has a ${protocol} port named ${name}`;
    const other = namesakes[0]?.protocol;
    if (other !== undefined) return `${message}; there it is ${other}: write "protocol: ${other}"`;
    return isBrief ? message : `${message}; ${this.#instead(name, protocol, there)}`;
  }

  #instead(name: string, protocol: string, there: readonly PortsThere[]): string {
    const named = there.flatMap(({ byName }) => [...byName.values()].flat());
    const alike = named.filter((port) => port.protocol === protocol);
    const nearest = nearestWord(
      name,
      alike.map((port) => port.name!),
    );
    const found = alike.find((port) => port.name === nearest);
    if (found !== undefined) return `nearest: ${plain(nearest!)} (${shownName(found.pod)}, ${found.port})`;
    const firsts = new Map<string, string>();
    for (const pod of there.flatMap(({ pods }) => pods)) {
      const ports = listed(this.#facts.portsOf(pod).map(portText), 'and');
      if (ports !== '' && !firsts.has(ports)) firsts.set(ports, `${shownName(pod)} has ${ports}`);
    }
    return firsts.size === 0 ? 'none declares any port' : listed(firsts.values(), 'and', PODS_MAX);
  }

  /**
   * Pods may serve what they do not declare: told is only of a Service's port in the place of its pods' (policies see
   * packets after translation, NP-031), and of what they do declare, with another protocol.
   *
   * @param ports all that the rule lets through
   */
  number(
    { port: number, endPort, protocol = 'TCP' }: NetworkPolicyPort & { readonly port: number },
    ports: readonly NetworkPolicyPort[],
    servers: readonly (readonly WorldPod[])[],
  ): string | undefined {
    if (endPort !== undefined && endPort !== number) return undefined;
    const there = servers.map((pods) => this.#portsOf(pods));
    const declared = there.flatMap(({ byNumber }) => byNumber.get(number) ?? []);
    if (there.every(({ byNumber }) => byNumber.size === 0)) return undefined;
    if (declared.some((port) => port.protocol === protocol)) return undefined;
    const translated = there.flatMap((one) => one.translated.get(`${number}/${protocol}`) ?? []);
    if (translated.some(({ target }) => target === number)) return undefined;
    const isOpen = (wanted: number, by: string) => ports.some((entry) => covers(entry, wanted, by, there));
    const closed = translated.filter(({ target }) => !isOpen(target, protocol));
    if (closed.length > 0) return serviceWords(number, closed);
    const [first] = declared;
    if (translated.length > 0 || first === undefined) return undefined;
    if (declared.some((other) => isOpen(number, other.protocol))) return undefined;
    const remedy = `write "protocol: ${first.protocol}"`;
    return `${shownName(first.pod)} declares ${number} as ${first.protocol}, not ${protocol}: ${remedy}`;
  }

  #portsOf(pods: readonly WorldPod[]): PortsThere {
    let known = this.#there.get(pods);
    if (known === undefined) {
      known = this.#gather(pods);
      this.#there.set(pods, known);
    }
    return known;
  }

  #gather(pods: readonly WorldPod[]): PortsThere {
    const byName = new Map<string, Declared[]>();
    const byNumber = new Map<number, Declared[]>();
    const translated = new Map<string, Translated[]>();
    for (const pod of pods) {
      for (const port of this.#facts.portsOf(pod)) {
        const isSame = (one: Declared) => one.protocol === port.protocol && one.port === port.port;
        if (port.name !== undefined) addOnce(byName, port.name, { ...port, pod }, isSame);
        addOnce(byNumber, port.port, { ...port, pod }, isSame);
      }
      for (const service of this.#servicesOf(pod)) {
        for (const { port, protocol = 'TCP', targetPort = port } of service.spec.ports ?? []) {
          const target = this.#target(targetPort, protocol, pod);
          if (target === undefined) continue;
          const isSame = (one: Translated) => one.target === target;
          addOnce(translated, `${port}/${protocol}`, { service, target }, isSame);
        }
      }
    }
    return { pods, byName, byNumber, translated };
  }

  #target(port: number | string, protocol: string, pod: WorldPod): number | undefined {
    if (typeof port === 'number') return port;
    return this.#facts.portsOf(pod).find((one) => one.name === port && one.protocol === protocol)?.port;
  }

  #servicesOf(pod: WorldPod): readonly Service[] {
    this.#services ??= this.#servicesByPod();
    return this.#services.get(pod) ?? [];
  }

  #servicesByPod(): Map<WorldPod, Service[]> {
    const services = new Map<WorldPod, Service[]>();
    for (const service of this.#facts.services) {
      const { selector = {}, type } = service.spec;
      if (Object.keys(selector).length === 0 || type === 'ExternalName') continue; // it leads elsewhere
      const { pods } = this.#scene.selection({ matchLabels: selector }, service.metadata.namespace!);
      for (const pod of pods) {
        const known = services.get(pod);
        if (known === undefined) services.set(pod, [service]);
        else known.push(service);
      }
    }
    return services;
  }
}

function addOnce<K, V>(groups: Map<K, V[]>, key: K, item: V, isSame: (one: V) => boolean): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [item]);
  else if (!group.some(isSame)) group.push(item);
}

/** Does the entry let a number through, to any of the pods? */
function covers(entry: NetworkPolicyPort, number: number, protocol: string, there: readonly PortsThere[]): boolean {
  const { port, endPort = Number(port) } = entry;
  if ((entry.protocol ?? 'TCP') !== protocol) return false;
  if (port === undefined) return true;
  if (typeof port === 'number') return port <= number && number <= endPort;
  const named = there.flatMap(({ byName }) => byName.get(port) ?? []);
  return named.some((one) => one.port === number && one.protocol === protocol);
}

function serviceWords(number: number, translated: readonly Translated[]): string {
  const names = new Set(translated.map(({ service: { metadata } }) => plain(`${metadata.namespace}/${metadata.name}`)));
  const targets = new Set(translated.map(({ target }) => `${target}`));
  const whose = `Service${names.size === 1 ? '' : 's'} ${listed(names, 'and')}`;
  return `port ${number} is that of ${whose}; policies see the pods' port, ${listed(targets, 'or')}`;
}

function portText({ name, port, protocol }: DeclaredPort): string {
  const number = protocol === 'TCP' ? `${port}` : `${port} ${protocol}`;
  return name === undefined ? `port ${number}` : `${plain(name)} (${number})`;
}

function shownName({ namespace, name }: WorldPod): string {
  return plain(`${namespace}/${name}`);
}
