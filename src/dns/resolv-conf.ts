/** What a pod's /etc/resolv.conf says: the kubelet's pkg/kubelet/network/dns/dns.go. */
import type { PodDNSConfigOption } from 'kubernetes-types/core/v1.d.ts';
import type { Pod } from '../store/object.ts';

interface ResolverSettings {
  readonly nameservers: readonly string[];
  readonly searches: readonly string[];
  /** Such as `ndots:5` and `rotate`. */
  readonly options: readonly string[];
}

/** The kubelet's settings of the same names. */
export interface ClusterResolver {
  /** Addresses of the cluster's name server. Without any, ClusterFirst is as Default. */
  readonly clusterDns: readonly string[];
  /** Without a dot at the end. */
  readonly clusterDomain: string;
  /** Text of the node's own resolv.conf; undefined as with `--resolv-conf ""`: nobody to ask but the node itself. */
  readonly nodeResolvConf: string | undefined;
}

/** pkg/apis/core/validation/validation.go: MaxDNSNameservers, MaxDNSSearchPaths, MaxDNSSearchListChars (DN-053). */
const NAMESERVERS_MAX = 3;
const SEARCHES_MAX = 32;
const SEARCHES_LEN_MAX = 2048;
/** A longer one makes some resolvers abort (DNS1123SubdomainMaxLength). */
const SEARCH_LEN_MAX = 253;

const clusterOptions = ['ndots:5'];
const noneAtAll: ResolverSettings = { nameservers: [], searches: [], options: [] };
const nodeItself: ResolverSettings = { nameservers: ['127.0.0.1'], searches: ['.'], options: [] };

/**
 * @param pod with the defaults that an API server fills in; of what is absent, the same defaults hold.
 * @returns the text of the file.
 */
export function resolvConf(pod: Pod, cluster: ClusterResolver): string {
  const base = ofPolicy(pod, cluster);
  const { nameservers = [], searches = [], options = [] } = pod.spec.dnsConfig ?? {};
  return formatResolvConf({
    nameservers: unique([...base.nameservers, ...nameservers]).slice(0, NAMESERVERS_MAX),
    searches: withinLimits(unique([...base.searches, ...searches])),
    options: mergedOptions(base.options, options),
  });
}

/** DN-047, DN-050, DN-051. */
function ofPolicy(pod: Pod, { clusterDns, clusterDomain, nodeResolvConf }: ClusterResolver): ResolverSettings {
  const node = nodeResolvConf === undefined ? nodeItself : parseResolvConf(nodeResolvConf);
  const policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'None') return noneAtAll;
  const onHost = policy === 'ClusterFirst' && pod.spec.hostNetwork === true;
  if (policy === 'Default' || onHost || clusterDns.length === 0) return node;
  const namespace = pod.metadata.namespace ?? 'default';
  const own = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain];
  // The root as a search domain of `nodeItself` is Default's alone.
  const searches = nodeResolvConf === undefined ? own : [...own, ...node.searches];
  return { nameservers: clusterDns, searches: unique(searches), options: clusterOptions };
}

/** resolv.conf(5), as far as the kubelet reads it: the last `search` and the last `options` count. */
function parseResolvConf(text: string): ResolverSettings {
  const nameservers: string[] = [];
  let searches: readonly string[] = [];
  let options: readonly string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && values[0] !== undefined) nameservers.push(values[0]);
    if (keyword === 'search') searches = values.map((name) => (name === '.' ? name : name.replace(/\.$/, '')));
    if (keyword === 'options') options = values;
  }
  return { nameservers, searches, options };
}

/** DN-053: too long ones are left out, then as many at the end as are needed. */
function withinLimits(searches: readonly string[]): readonly string[] {
  const kept = searches.slice(0, SEARCHES_MAX).filter((search) => search.length <= SEARCH_LEN_MAX);
  while (kept.join(' ').length > SEARCHES_LEN_MAX) kept.pop();
  return kept;
}

/** DN-052: the pod's own win, each in the place where its name came first. */
function mergedOptions(base: readonly string[], own: readonly PodDNSConfigOption[]): readonly string[] {
  const values = new Map<string, string>();
  for (const option of base) {
    const [name, ...value] = option.split(':');
    values.set(name!, value.join(':'));
  }
  for (const { name, value } of own) values.set(name ?? '', value ?? '');
  return [...values].map(([name, value]) => (value === '' ? name : `${name}:${value}`));
}

/** In the order in which container runtimes write it (containerd, parseDNSOptions). */
function formatResolvConf({ nameservers, searches, options }: ResolverSettings): string {
  const lines = nameservers.map((address) => `nameserver ${address}`);
  if (searches.length > 0) lines.unshift(`search ${searches.join(' ')}`);
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return lines.map((line) => `${line}\n`).join('');
}

function unique(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}
