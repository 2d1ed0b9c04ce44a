/**
 * Names of the core/v1 and meta/v1 API, releases 1.35 to 1.37 (kubernetes/api, types_swagger_doc_generated.go), for judging
 * fields that podwire does not read: a name that is here is somebody else's business, any other is a mistake.
 */

/** Kinds of apiVersion v1. */
export const coreV1Kinds: readonly string[] = words(`
  Binding ComponentStatus ConfigMap Endpoints Event LimitRange List Namespace Node PersistentVolume
  PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount`);

export const objectMetaFields: readonly string[] = words(`
  annotations creationTimestamp deletionGracePeriodSeconds deletionTimestamp finalizers generateName generation labels
  managedFields name namespace ownerReferences resourceVersion selfLink uid`);

export const podSpecFields: readonly string[] = words(`
  activeDeadlineSeconds affinity automountServiceAccountToken containers dnsConfig dnsPolicy enableServiceLinks
  ephemeralContainers evictionResponders hostAliases hostIPC hostNetwork hostPID hostUsers hostname hostnameOverride
  imagePullSecrets initContainers nodeName nodeSelector os overhead preemptionPolicy priority priorityClassName
  readinessGates resourceClaims resources restartPolicy runtimeClassName schedulerName schedulingGates schedulingGroup
  securityContext serviceAccount serviceAccountName setHostnameAsFQDN shareProcessNamespace subdomain
  terminationGracePeriodSeconds tolerations topologySpreadConstraints volumes workloadRef`);

export const containerFields: readonly string[] = words(`
  args command env envFrom image imagePullPolicy lifecycle livenessProbe name ports readinessProbe resizePolicy
  resources restartPolicy restartPolicyRules securityContext startupProbe stdin stdinOnce terminationMessagePath
  terminationMessagePolicy tty volumeDevices volumeMounts workingDir`);

export const ephemeralContainerFields: readonly string[] = [...containerFields, 'targetContainerName'];

export const containerPortFields: readonly string[] = words('containerPort hostIP hostPort name protocol');

export const podStatusFields: readonly string[] = words(`
  allocatedResources conditions containerStatuses ephemeralContainerStatuses extendedResourceClaimStatus hostIP hostIPs
  initContainerStatuses message nodeAllocatableResourceClaimStatuses nominatedNodeName observedGeneration phase podIP
  podIPs qosClass reason resize resourceClaimStatuses resources startTime volumeHealth`);

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}
