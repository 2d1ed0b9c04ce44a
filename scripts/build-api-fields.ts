/**
 * Writes src/cluster/api-fields.ts from the type declarations of kubernetes-types and, below, what the API has got since
 * (kubernetes/api v0.37.0-beta.0, types.go and register.go). Run by hand after a change; a test compares.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

const target = new URL('../src/cluster/api-fields.ts', import.meta.url);
const declarations = new URL('../node_modules/kubernetes-types/', import.meta.url);

/** Types of documents that podwire reads; what they lead to follows. */
const roots = [
  ...['ConfigMap', 'Endpoints', 'Namespace', 'Node', 'Pod', 'ReplicationController', 'Secret', 'Service'],
  ...['apps.DaemonSet', 'apps.Deployment', 'apps.ReplicaSet', 'apps.StatefulSet', 'batch.CronJob', 'batch.Job'],
  ...['discovery.EndpointSlice', 'networking.NetworkPolicy'],
];

/** Fields that releases 1.31 to 1.37 added. */
const newerFields = `
ClusterTrustBundleProjection user?:integer
ConfigMapVolumeSource defaultUser?:integer
Container restartPolicyRules?:ContainerRestartRule[]
ContainerExtendedResourceRequest containerName:string resourceName:string requestName:string
ContainerRestartRule action:string exitCodes?:ContainerRestartRuleOnExitCodes
ContainerRestartRuleOnExitCodes operator:string values?:integer[]
ContainerStatus user?:ContainerUser allocatedResourcesStatus?:ResourceStatus[] stopSignal?:string
ContainerUser linux?:LinuxContainerUser
DownwardAPIVolumeFile user?:integer
DownwardAPIVolumeSource defaultUser?:integer
EmptyDirVolumeSource mode?:integer
EnvVarSource fileKeyRef?:FileKeySelector
EphemeralContainer restartPolicyRules?:ContainerRestartRule[]
EvictionResponder name:string priority?:integer
FileKeySelector volumeName:string path:string key:string optional?:boolean
GRPCAction mode?:string
HTTPGetAction protocol?:string
ImageVolumeSource reference?:string pullPolicy?:string
ImageVolumeStatus imageRef:string
KeyToPath user?:integer
Lifecycle stopSignal?:string
LinuxContainerUser uid:integer gid:integer supplementalGroups?:integer[]
NodeAllocatableMappedResources name:string quantity?:Quantity
NodeAllocatableOverheadResources name:string perPod?:Quantity perContainer?:Quantity
NodeAllocatableResourceClaimStatus resourceClaimName:string containers?:string[] mapping?:NodeAllocatableMappedResources[] overhead?:NodeAllocatableOverheadResources[]
NodeFeatures supplementalGroupsPolicy?:boolean
NodePodPreemptionPolicy disableResizePreemption?:string[]
NodeRuntimeHandlerFeatures userNamespaces?:boolean
NodeSpec podPreemptionPolicy?:NodePodPreemptionPolicy
NodeStatus features?:NodeFeatures declaredFeatures?:string[]
NodeSwapStatus capacity?:integer
NodeSystemInfo swap?:NodeSwapStatus
PersistentVolumeClaimStatus healthStatus?:VolumeHealthStatus
PodCertificateProjection signerName?:string keyType?:string maxExpirationSeconds?:integer credentialBundlePath?:string keyPath?:string certificateChainPath?:string userAnnotations?:string{} user?:integer
PodCondition observedGeneration?:integer
PodExtendedResourceClaimStatus requestMappings:ContainerExtendedResourceRequest[] resourceClaimName:string
PodResourceClaim resourceClaimName?:string resourceClaimTemplateName?:string
PodSchedulingGroup podGroupName?:string
PodSecurityContext supplementalGroupsPolicy?:string seLinuxChangePolicy?:string
PodSpec evictionResponders?:EvictionResponder[] hostnameOverride?:string resources?:ResourceRequirements schedulingGroup?:PodSchedulingGroup workloadRef?:any
PodStatus observedGeneration?:integer extendedResourceClaimStatus?:PodExtendedResourceClaimStatus allocatedResources?:Quantity{} resources?:ResourceRequirements nodeAllocatableResourceClaimStatuses?:NodeAllocatableResourceClaimStatus[] volumeHealth?:PodVolumeHealth[]
PodVolumeHealth name:string healthConditions?:VolumeHealthCondition[] lastTransitionTime?:Time
ProjectedVolumeSource defaultUser?:integer
ResourceClaim request?:string
ResourceHealth resourceID:string health?:string message?:string
ResourceStatus name:string resources?:ResourceHealth[]
SecretVolumeSource defaultUser?:integer
ServiceAccountTokenProjection user?:integer
Volume image?:ImageVolumeSource
VolumeHealthCondition status?:string reason?:string message?:string
VolumeHealthStatus healthConditions?:VolumeHealthCondition[] lastTransitionTime?:Time
VolumeMount bindMountOptions?:string[]
VolumeMountStatus volumeStatus?:VolumeStatus
VolumeProjection podCertificate?:PodCertificateProjection
VolumeStatus image?:ImageVolumeStatus
apps.DeploymentStatus terminatingReplicas?:integer
apps.ReplicaSetStatus terminatingReplicas?:integer
batch.JobSpec scheduling?:any
discovery.EndpointHints forNodes?:discovery.ForNode[]
discovery.ForNode name:string
`;

/** Kinds that releases 1.31 to 1.37 added: a kind that stands nowhere in its apiVersion is a mistake. */
const newerKinds = `
admissionregistration.k8s.io/v1 MutatingAdmissionPolicy MutatingAdmissionPolicyBinding
admissionregistration.k8s.io/v1alpha1 MutatingAdmissionPolicy MutatingAdmissionPolicyBinding
admissionregistration.k8s.io/v1beta1 MutatingAdmissionPolicy MutatingAdmissionPolicyBinding
certificates.k8s.io/v1 ClusterTrustBundle PodCertificateRequest
certificates.k8s.io/v1alpha1 PodCertificateRequest
certificates.k8s.io/v1beta1 ClusterTrustBundle PodCertificateRequest
coordination.k8s.io/v1alpha1 LeaseCandidate
coordination.k8s.io/v1alpha2 LeaseCandidate
coordination.k8s.io/v1beta1 LeaseCandidate
lifecycle.k8s.io/v1alpha1 Eviction EvictionRequest
networking.k8s.io/v1 IPAddress ServiceCIDR
networking.k8s.io/v1beta1 IPAddress ServiceCIDR
resource.k8s.io/v1 DeviceClass DeviceTaintRule ResourceClaim ResourceClaimTemplate ResourceSlice
resource.k8s.io/v1alpha3 DeviceClass DeviceTaintRule PodSchedulingContext ResourceClaim ResourceClaimTemplate ResourcePoolStatusRequest ResourceSlice
resource.k8s.io/v1beta1 DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice
resource.k8s.io/v1beta2 DeviceClass DeviceTaintRule ResourceClaim ResourceClaimTemplate ResourceSlice
scheduling.k8s.io/v1alpha1 Workload
scheduling.k8s.io/v1alpha2 PodGroup Workload
scheduling.k8s.io/v1alpha3 CompositePodGroup PodGroup Workload
scheduling.k8s.io/v1beta1 PodGroup Workload
storage.k8s.io/v1 VolumeAttributesClass
storage.k8s.io/v1beta1 VolumeAttributesClass
storagemigration.k8s.io/v1 StorageVersionMigration
storagemigration.k8s.io/v1beta1 StorageVersionMigration
`;

const leaves: Readonly<Record<string, string>> = {
  string: 'string',
  number: 'integer',
  boolean: 'boolean',
  'number | string': 'IntOrString',
  Quantity: 'Quantity',
  Time: 'Time',
  MicroTime: 'Time',
  RawExtension: 'any',
  FieldsV1: 'any',
};

/** Type name → field, with `?` when it may be left out → its type. */
type Tables = Map<string, Map<string, string>>;

/** Groups but core and meta stand before their types' names: both core and discovery have an EndpointPort. */
function qualified(module: string, name: string): string {
  const group = module.slice(0, module.indexOf('/'));
  return group === 'core' || group === 'meta' ? name : `${group}.${name}`;
}

function typeText(written: string, ownerOf: (name: string) => string): string {
  const list = /^Array<(.+)>$/.exec(written);
  if (list !== null) return `${typeText(list[1]!, ownerOf)}[]`;
  const map = /^\{\s*\[name: string\]: ([^;]+);\s*\}$/.exec(written);
  if (map !== null) return `${typeText(map[1]!, ownerOf)}{}`;
  if (/^"[^"]*"$/.test(written)) return 'string';
  return leaves[written] ?? qualified(ownerOf(written), written);
}

function modules(): Map<string, string> {
  const names = readdirSync(declarations, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\/v[^/]*\.d\.ts$/.test(name),
  );
  return new Map(
    names.sort().map((name) => {
      const text = readFileSync(new URL(name, declarations), 'utf8');
      return [name.replace('.d.ts', ''), text.replaceAll(/\/\*\*[\s\S]*?\*\//g, '')];
    }),
  );
}

function readDeclarations(sources: ReadonlyMap<string, string>): Tables {
  const tables: Tables = new Map();
  for (const module of ['core/v1', 'meta/v1', 'apps/v1', 'batch/v1', 'discovery/v1', 'networking/v1']) {
    const text = sources.get(module)!;
    const imported = new Map<string, string>();
    for (const [, names, from] of text.matchAll(/import \{ ([^}]+) \} from "\.\.\/([^"]+)"/g)) {
      for (const name of names!.split(', ')) imported.set(name, from!);
    }
    for (const [, name, body] of text.matchAll(/^export interface (\w+) \{\n([\s\S]*?)^\}/gm)) {
      const fields = new Map<string, string>();
      for (const [, field, written] of body!.matchAll(/^ {4}(?:readonly )?(\w+\??): (\{[^}]*\}|[^;]+);$/gm)) {
        fields.set(
          field!,
          typeText(written!, (type) => imported.get(type) ?? module),
        );
      }
      if (!(name! in leaves)) tables.set(qualified(module, name!), fields);
    }
  }
  return tables;
}

function addNewer(tables: Tables): void {
  for (const line of newerFields.trim().split('\n')) {
    const [name, ...fields] = line.split(' ');
    const table = tables.get(name!) ?? new Map<string, string>();
    tables.set(name!, table);
    for (const field of fields) {
      const [key, type] = field.split(':') as [string, string];
      if (table.has(key)) throw new Error(`${name}.${key} is in kubernetes-types: leave it out here`);
      table.set(key, type);
    }
  }
}

function reachable(tables: Tables): Map<string, Map<string, string>> {
  const found = new Map<string, Map<string, string>>();
  const known = new Set(Object.values(leaves));
  const waiting = [...roots];
  for (const name of waiting) {
    if (found.has(name) || known.has(name)) continue;
    const fields = tables.get(name);
    if (fields === undefined) throw new Error(`no type ${name}`);
    found.set(name, fields);
    for (const type of fields.values()) waiting.push(type.replaceAll(/\[\]|\{\}/g, ''));
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** apiVersion → kinds. */
function readKinds(sources: ReadonlyMap<string, string>): Map<string, string[]> {
  const kinds = new Map<string, string[]>([['v1', ['List']]]);
  const add = (apiVersion: string, ...names: readonly string[]) =>
    kinds.set(apiVersion, [...(kinds.get(apiVersion) ?? []), ...names]);
  for (const text of sources.values()) {
    for (const [, name, body] of text.matchAll(/^export interface (\w+) \{\n([\s\S]*?)^\}/gm)) {
      const apiVersion = /^ {4}apiVersion\??: "([^"]+)";$/m.exec(body!)?.[1];
      const kind = /^ {4}kind\??: "(\w+)";$/m.exec(body!)?.[1];
      if (apiVersion === undefined || kind === undefined || kind !== name || kind.endsWith('List')) continue;
      add(apiVersion, kind);
    }
  }
  for (const line of newerKinds.trim().split('\n')) {
    const [apiVersion, ...names] = line.split(' ');
    add(apiVersion!, ...names);
  }
  return new Map([...kinds].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function renderApiFields(): string {
  const sources = modules();
  const tables = readDeclarations(sources);
  addNewer(tables);
  const types = [...reachable(tables)].map(([name, fields]) => {
    const texts = [...fields].map(([key, type]) => `${key}:${type}`);
    return [name, ...texts.sort()].join(' ');
  });
  const kinds = [...readKinds(sources)].map(([apiVersion, names]) => [apiVersion, ...names.sort()].join(' '));
  return [
    '/**',
    " * Kubernetes' API as tables. Made from kubernetes-types by `npx tsx scripts/build-api-fields.ts`; do not edit.",
    ' */',
    '',
    '/** A type a line: its name, its fields with their types. `?` may be left out, `[]` a list, `{}` a map with any keys. */',
    'export const apiFields = `',
    ...types,
    '`;',
    '',
    '/** An apiVersion a line, and its kinds. */',
    'export const apiKinds = `',
    ...kinds,
    '`;',
    '',
  ].join('\n');
}

if (process.argv[1] === new URL(import.meta.url).pathname) writeFileSync(target, renderApiFields());
