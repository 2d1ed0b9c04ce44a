/** Which kinds there are, as Kubernetes' clients ask for it (`kubectl api-resources`). */
import { readFileSync } from 'node:fs';
import { packageUrl } from '../installation.ts';
import { type Resource, resources } from '../store/resources.ts';

/** The version of Kubernetes whose types podwire's objects have (the package kubernetes-types). */
const MAJOR = '1';
const MINOR = '30';

/** Kinds that `get all` means, as their REST storages say (Categories in k8s.io/kubernetes/pkg/registry). */
const categoryAll = new Set([
  ...['pods', 'services', 'replicationcontrollers', 'daemonsets', 'deployments', 'replicasets', 'statefulsets'],
  ...['jobs', 'cronjobs'],
]);

export function isInAll({ plural }: Resource): boolean {
  return categoryAll.has(plural);
}

const groupVersions = [...new Set(resources.map(({ apiVersion }) => apiVersion))].filter((name) => name.includes('/'));

/** version.Info. */
export function version(): object {
  const { version: own } = JSON.parse(readFileSync(packageUrl('package.json'), 'utf8')) as {
    version: string;
  };
  const platform = `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`;
  return { major: MAJOR, minor: MINOR, gitVersion: `v${MAJOR}.${MINOR}.0+podwire.${own}`, platform };
}

/** `/api` */
export function coreVersions(): object {
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
}

/** `/apis` */
export function groups(): object {
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groupVersions.map(group) };
}

/** `/apis/GROUP`; undefined for one that is not there. */
export function groupNamed(name: string): object | undefined {
  const groupVersion = groupVersions.find((item) => item.split('/')[0] === name);
  return groupVersion === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...group(groupVersion) };
}

function group(groupVersion: string): object {
  const [name, version] = groupVersion.split('/');
  const only = { groupVersion, version };
  return { name, versions: [only], preferredVersion: only };
}

/** `/api/v1`, `/apis/GROUP/VERSION`; undefined for one that is not there. */
export function resourcesOf(groupVersion: string): object | undefined {
  const found = resources.filter(({ apiVersion }) => apiVersion === groupVersion);
  if (found.length === 0) return undefined;
  const listed = found.flatMap((resource) => {
    const { plural, singular, kind, shortNames, namespaced } = resource;
    const whole = {
      ...{ name: plural, singularName: singular, namespaced, kind },
      verbs: ['delete', 'get', 'list', 'watch'],
      ...(shortNames.length > 0 ? { shortNames } : {}),
      ...(isInAll(resource) ? { categories: ['all'] } : {}),
    };
    const log = { name: 'pods/log', singularName: '', namespaced: true, kind: 'Pod', verbs: ['get'] };
    return kind === 'Pod' ? [whole, log] : [whole];
  });
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources: listed };
}
