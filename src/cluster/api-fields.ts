/**
 * Kubernetes' API as tables. Made from kubernetes-types by `npx tsx scripts/build-api-fields.ts`; do not edit.
 */

/** A type a line: its name, its fields with their types. `?` may be left out, `[]` a list, `{}` a map with any keys. */
export const apiFields = `
AWSElasticBlockStoreVolumeSource fsType?:string partition?:integer readOnly?:boolean volumeID:string
Affinity nodeAffinity?:NodeAffinity podAffinity?:PodAffinity podAntiAffinity?:PodAntiAffinity
AppArmorProfile localhostProfile?:string type:string
AttachedVolume devicePath:string name:string
AzureDiskVolumeSource cachingMode?:string diskName:string diskURI:string fsType?:string kind?:string readOnly?:boolean
AzureFileVolumeSource readOnly?:boolean secretName:string shareName:string
CSIVolumeSource driver:string fsType?:string nodePublishSecretRef?:LocalObjectReference readOnly?:boolean volumeAttributes?:string{}
Capabilities add?:string[] drop?:string[]
CephFSVolumeSource monitors:string[] path?:string readOnly?:boolean secretFile?:string secretRef?:LocalObjectReference user?:string
CinderVolumeSource fsType?:string readOnly?:boolean secretRef?:LocalObjectReference volumeID:string
ClaimSource resourceClaimName?:string resourceClaimTemplateName?:string
ClientIPConfig timeoutSeconds?:integer
ClusterTrustBundleProjection labelSelector?:LabelSelector name?:string optional?:boolean path:string signerName?:string user?:integer
Condition lastTransitionTime:Time message:string observedGeneration?:integer reason:string status:string type:string
ConfigMap apiVersion?:string binaryData?:string{} data?:string{} immutable?:boolean kind?:string metadata?:ObjectMeta
ConfigMapEnvSource name?:string optional?:boolean
ConfigMapKeySelector key:string name?:string optional?:boolean
ConfigMapNodeConfigSource kubeletConfigKey:string name:string namespace:string resourceVersion?:string uid?:string
ConfigMapProjection items?:KeyToPath[] name?:string optional?:boolean
ConfigMapVolumeSource defaultMode?:integer defaultUser?:integer items?:KeyToPath[] name?:string optional?:boolean
Container args?:string[] command?:string[] env?:EnvVar[] envFrom?:EnvFromSource[] image?:string imagePullPolicy?:string lifecycle?:Lifecycle livenessProbe?:Probe name:string ports?:ContainerPort[] readinessProbe?:Probe resizePolicy?:ContainerResizePolicy[] resources?:ResourceRequirements restartPolicy?:string restartPolicyRules?:ContainerRestartRule[] securityContext?:SecurityContext startupProbe?:Probe stdin?:boolean stdinOnce?:boolean terminationMessagePath?:string terminationMessagePolicy?:string tty?:boolean volumeDevices?:VolumeDevice[] volumeMounts?:VolumeMount[] workingDir?:string
ContainerExtendedResourceRequest containerName:string requestName:string resourceName:string
ContainerImage names?:string[] sizeBytes?:integer
ContainerPort containerPort:integer hostIP?:string hostPort?:integer name?:string protocol?:string
ContainerResizePolicy resourceName:string restartPolicy:string
ContainerRestartRule action:string exitCodes?:ContainerRestartRuleOnExitCodes
ContainerRestartRuleOnExitCodes operator:string values?:integer[]
ContainerState running?:ContainerStateRunning terminated?:ContainerStateTerminated waiting?:ContainerStateWaiting
ContainerStateRunning startedAt?:Time
ContainerStateTerminated containerID?:string exitCode:integer finishedAt?:Time message?:string reason?:string signal?:integer startedAt?:Time
ContainerStateWaiting message?:string reason?:string
ContainerStatus allocatedResources?:Quantity{} allocatedResourcesStatus?:ResourceStatus[] containerID?:string image:string imageID:string lastState?:ContainerState name:string ready:boolean resources?:ResourceRequirements restartCount:integer started?:boolean state?:ContainerState stopSignal?:string user?:ContainerUser volumeMounts?:VolumeMountStatus[]
ContainerUser linux?:LinuxContainerUser
DaemonEndpoint Port:integer
DownwardAPIProjection items?:DownwardAPIVolumeFile[]
DownwardAPIVolumeFile fieldRef?:ObjectFieldSelector mode?:integer path:string resourceFieldRef?:ResourceFieldSelector user?:integer
DownwardAPIVolumeSource defaultMode?:integer defaultUser?:integer items?:DownwardAPIVolumeFile[]
EmptyDirVolumeSource medium?:string mode?:integer sizeLimit?:Quantity
EndpointAddress hostname?:string ip:string nodeName?:string targetRef?:ObjectReference
EndpointPort appProtocol?:string name?:string port:integer protocol?:string
EndpointSubset addresses?:EndpointAddress[] notReadyAddresses?:EndpointAddress[] ports?:EndpointPort[]
Endpoints apiVersion?:string kind?:string metadata?:ObjectMeta subsets?:EndpointSubset[]
EnvFromSource configMapRef?:ConfigMapEnvSource prefix?:string secretRef?:SecretEnvSource
EnvVar name:string value?:string valueFrom?:EnvVarSource
EnvVarSource configMapKeyRef?:ConfigMapKeySelector fieldRef?:ObjectFieldSelector fileKeyRef?:FileKeySelector resourceFieldRef?:ResourceFieldSelector secretKeyRef?:SecretKeySelector
EphemeralContainer args?:string[] command?:string[] env?:EnvVar[] envFrom?:EnvFromSource[] image?:string imagePullPolicy?:string lifecycle?:Lifecycle livenessProbe?:Probe name:string ports?:ContainerPort[] readinessProbe?:Probe resizePolicy?:ContainerResizePolicy[] resources?:ResourceRequirements restartPolicy?:string restartPolicyRules?:ContainerRestartRule[] securityContext?:SecurityContext startupProbe?:Probe stdin?:boolean stdinOnce?:boolean targetContainerName?:string terminationMessagePath?:string terminationMessagePolicy?:string tty?:boolean volumeDevices?:VolumeDevice[] volumeMounts?:VolumeMount[] workingDir?:string
EphemeralVolumeSource volumeClaimTemplate?:PersistentVolumeClaimTemplate
EvictionResponder name:string priority?:integer
ExecAction command?:string[]
FCVolumeSource fsType?:string lun?:integer readOnly?:boolean targetWWNs?:string[] wwids?:string[]
FileKeySelector key:string optional?:boolean path:string volumeName:string
FlexVolumeSource driver:string fsType?:string options?:string{} readOnly?:boolean secretRef?:LocalObjectReference
FlockerVolumeSource datasetName?:string datasetUUID?:string
GCEPersistentDiskVolumeSource fsType?:string partition?:integer pdName:string readOnly?:boolean
GRPCAction mode?:string port:integer service?:string
GitRepoVolumeSource directory?:string repository:string revision?:string
GlusterfsVolumeSource endpoints:string path:string readOnly?:boolean
HTTPGetAction host?:string httpHeaders?:HTTPHeader[] path?:string port:IntOrString protocol?:string scheme?:string
HTTPHeader name:string value:string
HostAlias hostnames?:string[] ip?:string
HostIP ip?:string
HostPathVolumeSource path:string type?:string
ISCSIVolumeSource chapAuthDiscovery?:boolean chapAuthSession?:boolean fsType?:string initiatorName?:string iqn:string iscsiInterface?:string lun:integer portals?:string[] readOnly?:boolean secretRef?:LocalObjectReference targetPortal:string
ImageVolumeSource pullPolicy?:string reference?:string
ImageVolumeStatus imageRef:string
KeyToPath key:string mode?:integer path:string user?:integer
LabelSelector matchExpressions?:LabelSelectorRequirement[] matchLabels?:string{}
LabelSelectorRequirement key:string operator:string values?:string[]
Lifecycle postStart?:LifecycleHandler preStop?:LifecycleHandler stopSignal?:string
LifecycleHandler exec?:ExecAction httpGet?:HTTPGetAction sleep?:SleepAction tcpSocket?:TCPSocketAction
LinuxContainerUser gid:integer supplementalGroups?:integer[] uid:integer
LoadBalancerIngress hostname?:string ip?:string ipMode?:string ports?:PortStatus[]
LoadBalancerStatus ingress?:LoadBalancerIngress[]
LocalObjectReference name?:string
ManagedFieldsEntry apiVersion?:string fieldsType?:string fieldsV1?:any manager?:string operation?:string subresource?:string time?:Time
ModifyVolumeStatus status:string targetVolumeAttributesClassName?:string
NFSVolumeSource path:string readOnly?:boolean server:string
Namespace apiVersion?:string kind?:string metadata?:ObjectMeta spec?:NamespaceSpec status?:NamespaceStatus
NamespaceCondition lastTransitionTime?:Time message?:string reason?:string status:string type:string
NamespaceSpec finalizers?:string[]
NamespaceStatus conditions?:NamespaceCondition[] phase?:string
Node apiVersion?:string kind?:string metadata?:ObjectMeta spec?:NodeSpec status?:NodeStatus
NodeAddress address:string type:string
NodeAffinity preferredDuringSchedulingIgnoredDuringExecution?:PreferredSchedulingTerm[] requiredDuringSchedulingIgnoredDuringExecution?:NodeSelector
NodeAllocatableMappedResources name:string quantity?:Quantity
NodeAllocatableOverheadResources name:string perContainer?:Quantity perPod?:Quantity
NodeAllocatableResourceClaimStatus containers?:string[] mapping?:NodeAllocatableMappedResources[] overhead?:NodeAllocatableOverheadResources[] resourceClaimName:string
NodeCondition lastHeartbeatTime?:Time lastTransitionTime?:Time message?:string reason?:string status:string type:string
NodeConfigSource configMap?:ConfigMapNodeConfigSource
NodeConfigStatus active?:NodeConfigSource assigned?:NodeConfigSource error?:string lastKnownGood?:NodeConfigSource
NodeDaemonEndpoints kubeletEndpoint?:DaemonEndpoint
NodeFeatures supplementalGroupsPolicy?:boolean
NodePodPreemptionPolicy disableResizePreemption?:string[]
NodeRuntimeHandler features?:NodeRuntimeHandlerFeatures name?:string
NodeRuntimeHandlerFeatures recursiveReadOnlyMounts?:boolean userNamespaces?:boolean
NodeSelector nodeSelectorTerms:NodeSelectorTerm[]
NodeSelectorRequirement key:string operator:string values?:string[]
NodeSelectorTerm matchExpressions?:NodeSelectorRequirement[] matchFields?:NodeSelectorRequirement[]
NodeSpec configSource?:NodeConfigSource externalID?:string podCIDR?:string podCIDRs?:string[] podPreemptionPolicy?:NodePodPreemptionPolicy providerID?:string taints?:Taint[] unschedulable?:boolean
NodeStatus addresses?:NodeAddress[] allocatable?:Quantity{} capacity?:Quantity{} conditions?:NodeCondition[] config?:NodeConfigStatus daemonEndpoints?:NodeDaemonEndpoints declaredFeatures?:string[] features?:NodeFeatures images?:ContainerImage[] nodeInfo?:NodeSystemInfo phase?:string runtimeHandlers?:NodeRuntimeHandler[] volumesAttached?:AttachedVolume[] volumesInUse?:string[]
NodeSwapStatus capacity?:integer
NodeSystemInfo architecture:string bootID:string containerRuntimeVersion:string kernelVersion:string kubeProxyVersion:string kubeletVersion:string machineID:string operatingSystem:string osImage:string swap?:NodeSwapStatus systemUUID:string
ObjectFieldSelector apiVersion?:string fieldPath:string
ObjectMeta annotations?:string{} creationTimestamp?:Time deletionGracePeriodSeconds?:integer deletionTimestamp?:Time finalizers?:string[] generateName?:string generation?:integer labels?:string{} managedFields?:ManagedFieldsEntry[] name?:string namespace?:string ownerReferences?:OwnerReference[] resourceVersion?:string selfLink?:string uid?:string
ObjectReference apiVersion?:string fieldPath?:string kind?:string name?:string namespace?:string resourceVersion?:string uid?:string
OwnerReference apiVersion:string blockOwnerDeletion?:boolean controller?:boolean kind:string name:string uid:string
PersistentVolumeClaim apiVersion?:string kind?:string metadata?:ObjectMeta spec?:PersistentVolumeClaimSpec status?:PersistentVolumeClaimStatus
PersistentVolumeClaimCondition lastProbeTime?:Time lastTransitionTime?:Time message?:string reason?:string status:string type:string
PersistentVolumeClaimSpec accessModes?:string[] dataSource?:TypedLocalObjectReference dataSourceRef?:TypedObjectReference resources?:VolumeResourceRequirements selector?:LabelSelector storageClassName?:string volumeAttributesClassName?:string volumeMode?:string volumeName?:string
PersistentVolumeClaimStatus accessModes?:string[] allocatedResourceStatuses?:string{} allocatedResources?:Quantity{} capacity?:Quantity{} conditions?:PersistentVolumeClaimCondition[] currentVolumeAttributesClassName?:string healthStatus?:VolumeHealthStatus modifyVolumeStatus?:ModifyVolumeStatus phase?:string
PersistentVolumeClaimTemplate metadata?:ObjectMeta spec:PersistentVolumeClaimSpec
PersistentVolumeClaimVolumeSource claimName:string readOnly?:boolean
PhotonPersistentDiskVolumeSource fsType?:string pdID:string
Pod apiVersion?:string kind?:string metadata?:ObjectMeta spec?:PodSpec status?:PodStatus
PodAffinity preferredDuringSchedulingIgnoredDuringExecution?:WeightedPodAffinityTerm[] requiredDuringSchedulingIgnoredDuringExecution?:PodAffinityTerm[]
PodAffinityTerm labelSelector?:LabelSelector matchLabelKeys?:string[] mismatchLabelKeys?:string[] namespaceSelector?:LabelSelector namespaces?:string[] topologyKey:string
PodAntiAffinity preferredDuringSchedulingIgnoredDuringExecution?:WeightedPodAffinityTerm[] requiredDuringSchedulingIgnoredDuringExecution?:PodAffinityTerm[]
PodCertificateProjection certificateChainPath?:string credentialBundlePath?:string keyPath?:string keyType?:string maxExpirationSeconds?:integer signerName?:string user?:integer userAnnotations?:string{}
PodCondition lastProbeTime?:Time lastTransitionTime?:Time message?:string observedGeneration?:integer reason?:string status:string type:string
PodDNSConfig nameservers?:string[] options?:PodDNSConfigOption[] searches?:string[]
PodDNSConfigOption name?:string value?:string
PodExtendedResourceClaimStatus requestMappings:ContainerExtendedResourceRequest[] resourceClaimName:string
PodIP ip?:string
PodOS name:string
PodReadinessGate conditionType:string
PodResourceClaim name:string resourceClaimName?:string resourceClaimTemplateName?:string source?:ClaimSource
PodResourceClaimStatus name:string resourceClaimName?:string
PodSchedulingGate name:string
PodSchedulingGroup podGroupName?:string
PodSecurityContext appArmorProfile?:AppArmorProfile fsGroup?:integer fsGroupChangePolicy?:string runAsGroup?:integer runAsNonRoot?:boolean runAsUser?:integer seLinuxChangePolicy?:string seLinuxOptions?:SELinuxOptions seccompProfile?:SeccompProfile supplementalGroups?:integer[] supplementalGroupsPolicy?:string sysctls?:Sysctl[] windowsOptions?:WindowsSecurityContextOptions
PodSpec activeDeadlineSeconds?:integer affinity?:Affinity automountServiceAccountToken?:boolean containers:Container[] dnsConfig?:PodDNSConfig dnsPolicy?:string enableServiceLinks?:boolean ephemeralContainers?:EphemeralContainer[] evictionResponders?:EvictionResponder[] hostAliases?:HostAlias[] hostIPC?:boolean hostNetwork?:boolean hostPID?:boolean hostUsers?:boolean hostname?:string hostnameOverride?:string imagePullSecrets?:LocalObjectReference[] initContainers?:Container[] nodeName?:string nodeSelector?:string{} os?:PodOS overhead?:Quantity{} preemptionPolicy?:string priority?:integer priorityClassName?:string readinessGates?:PodReadinessGate[] resourceClaims?:PodResourceClaim[] resources?:ResourceRequirements restartPolicy?:string runtimeClassName?:string schedulerName?:string schedulingGates?:PodSchedulingGate[] schedulingGroup?:PodSchedulingGroup securityContext?:PodSecurityContext serviceAccount?:string serviceAccountName?:string setHostnameAsFQDN?:boolean shareProcessNamespace?:boolean subdomain?:string terminationGracePeriodSeconds?:integer tolerations?:Toleration[] topologySpreadConstraints?:TopologySpreadConstraint[] volumes?:Volume[] workloadRef?:any
PodStatus allocatedResources?:Quantity{} conditions?:PodCondition[] containerStatuses?:ContainerStatus[] ephemeralContainerStatuses?:ContainerStatus[] extendedResourceClaimStatus?:PodExtendedResourceClaimStatus hostIP?:string hostIPs?:HostIP[] initContainerStatuses?:ContainerStatus[] message?:string nodeAllocatableResourceClaimStatuses?:NodeAllocatableResourceClaimStatus[] nominatedNodeName?:string observedGeneration?:integer phase?:string podIP?:string podIPs?:PodIP[] qosClass?:string reason?:string resize?:string resourceClaimStatuses?:PodResourceClaimStatus[] resources?:ResourceRequirements startTime?:Time volumeHealth?:PodVolumeHealth[]
PodTemplateSpec metadata?:ObjectMeta spec?:PodSpec
PodVolumeHealth healthConditions?:VolumeHealthCondition[] lastTransitionTime?:Time name:string
PortStatus error?:string port:integer protocol:string
PortworxVolumeSource fsType?:string readOnly?:boolean volumeID:string
PreferredSchedulingTerm preference:NodeSelectorTerm weight:integer
Probe exec?:ExecAction failureThreshold?:integer grpc?:GRPCAction httpGet?:HTTPGetAction initialDelaySeconds?:integer periodSeconds?:integer successThreshold?:integer tcpSocket?:TCPSocketAction terminationGracePeriodSeconds?:integer timeoutSeconds?:integer
ProjectedVolumeSource defaultMode?:integer defaultUser?:integer sources?:VolumeProjection[]
QuobyteVolumeSource group?:string readOnly?:boolean registry:string tenant?:string user?:string volume:string
RBDVolumeSource fsType?:string image:string keyring?:string monitors:string[] pool?:string readOnly?:boolean secretRef?:LocalObjectReference user?:string
ReplicationController apiVersion?:string kind?:string metadata?:ObjectMeta spec?:ReplicationControllerSpec status?:ReplicationControllerStatus
ReplicationControllerCondition lastTransitionTime?:Time message?:string reason?:string status:string type:string
ReplicationControllerSpec minReadySeconds?:integer replicas?:integer selector?:string{} template?:PodTemplateSpec
ReplicationControllerStatus availableReplicas?:integer conditions?:ReplicationControllerCondition[] fullyLabeledReplicas?:integer observedGeneration?:integer readyReplicas?:integer replicas:integer
ResourceClaim name:string request?:string
ResourceFieldSelector containerName?:string divisor?:Quantity resource:string
ResourceHealth health?:string message?:string resourceID:string
ResourceRequirements claims?:ResourceClaim[] limits?:Quantity{} requests?:Quantity{}
ResourceStatus name:string resources?:ResourceHealth[]
SELinuxOptions level?:string role?:string type?:string user?:string
ScaleIOVolumeSource fsType?:string gateway:string protectionDomain?:string readOnly?:boolean secretRef:LocalObjectReference sslEnabled?:boolean storageMode?:string storagePool?:string system:string volumeName?:string
SeccompProfile localhostProfile?:string type:string
Secret apiVersion?:string data?:string{} immutable?:boolean kind?:string metadata?:ObjectMeta stringData?:string{} type?:string
SecretEnvSource name?:string optional?:boolean
SecretKeySelector key:string name?:string optional?:boolean
SecretProjection items?:KeyToPath[] name?:string optional?:boolean
SecretVolumeSource defaultMode?:integer defaultUser?:integer items?:KeyToPath[] optional?:boolean secretName?:string
SecurityContext allowPrivilegeEscalation?:boolean appArmorProfile?:AppArmorProfile capabilities?:Capabilities privileged?:boolean procMount?:string readOnlyRootFilesystem?:boolean runAsGroup?:integer runAsNonRoot?:boolean runAsUser?:integer seLinuxOptions?:SELinuxOptions seccompProfile?:SeccompProfile windowsOptions?:WindowsSecurityContextOptions
Service apiVersion?:string kind?:string metadata?:ObjectMeta spec?:ServiceSpec status?:ServiceStatus
ServiceAccountTokenProjection audience?:string expirationSeconds?:integer path:string user?:integer
ServicePort appProtocol?:string name?:string nodePort?:integer port:integer protocol?:string targetPort?:IntOrString
ServiceSpec allocateLoadBalancerNodePorts?:boolean clusterIP?:string clusterIPs?:string[] externalIPs?:string[] externalName?:string externalTrafficPolicy?:string healthCheckNodePort?:integer internalTrafficPolicy?:string ipFamilies?:string[] ipFamilyPolicy?:string loadBalancerClass?:string loadBalancerIP?:string loadBalancerSourceRanges?:string[] ports?:ServicePort[] publishNotReadyAddresses?:boolean selector?:string{} sessionAffinity?:string sessionAffinityConfig?:SessionAffinityConfig trafficDistribution?:string type?:string
ServiceStatus conditions?:Condition[] loadBalancer?:LoadBalancerStatus
SessionAffinityConfig clientIP?:ClientIPConfig
SleepAction seconds:integer
StorageOSVolumeSource fsType?:string readOnly?:boolean secretRef?:LocalObjectReference volumeName?:string volumeNamespace?:string
Sysctl name:string value:string
TCPSocketAction host?:string port:IntOrString
Taint effect:string key:string timeAdded?:Time value?:string
Toleration effect?:string key?:string operator?:string tolerationSeconds?:integer value?:string
TopologySpreadConstraint labelSelector?:LabelSelector matchLabelKeys?:string[] maxSkew:integer minDomains?:integer nodeAffinityPolicy?:string nodeTaintsPolicy?:string topologyKey:string whenUnsatisfiable:string
TypedLocalObjectReference apiGroup?:string kind:string name:string
TypedObjectReference apiGroup?:string kind:string name:string namespace?:string
Volume awsElasticBlockStore?:AWSElasticBlockStoreVolumeSource azureDisk?:AzureDiskVolumeSource azureFile?:AzureFileVolumeSource cephfs?:CephFSVolumeSource cinder?:CinderVolumeSource configMap?:ConfigMapVolumeSource csi?:CSIVolumeSource downwardAPI?:DownwardAPIVolumeSource emptyDir?:EmptyDirVolumeSource ephemeral?:EphemeralVolumeSource fc?:FCVolumeSource flexVolume?:FlexVolumeSource flocker?:FlockerVolumeSource gcePersistentDisk?:GCEPersistentDiskVolumeSource gitRepo?:GitRepoVolumeSource glusterfs?:GlusterfsVolumeSource hostPath?:HostPathVolumeSource image?:ImageVolumeSource iscsi?:ISCSIVolumeSource name:string nfs?:NFSVolumeSource persistentVolumeClaim?:PersistentVolumeClaimVolumeSource photonPersistentDisk?:PhotonPersistentDiskVolumeSource portworxVolume?:PortworxVolumeSource projected?:ProjectedVolumeSource quobyte?:QuobyteVolumeSource rbd?:RBDVolumeSource scaleIO?:ScaleIOVolumeSource secret?:SecretVolumeSource storageos?:StorageOSVolumeSource vsphereVolume?:VsphereVirtualDiskVolumeSource
VolumeDevice devicePath:string name:string
VolumeHealthCondition message?:string reason?:string status?:string
VolumeHealthStatus healthConditions?:VolumeHealthCondition[] lastTransitionTime?:Time
VolumeMount bindMountOptions?:string[] mountPath:string mountPropagation?:string name:string readOnly?:boolean recursiveReadOnly?:string subPath?:string subPathExpr?:string
VolumeMountStatus mountPath:string name:string readOnly?:boolean recursiveReadOnly?:string volumeStatus?:VolumeStatus
VolumeProjection clusterTrustBundle?:ClusterTrustBundleProjection configMap?:ConfigMapProjection downwardAPI?:DownwardAPIProjection podCertificate?:PodCertificateProjection secret?:SecretProjection serviceAccountToken?:ServiceAccountTokenProjection
VolumeResourceRequirements limits?:Quantity{} requests?:Quantity{}
VolumeStatus image?:ImageVolumeStatus
VsphereVirtualDiskVolumeSource fsType?:string storagePolicyID?:string storagePolicyName?:string volumePath:string
WeightedPodAffinityTerm podAffinityTerm:PodAffinityTerm weight:integer
WindowsSecurityContextOptions gmsaCredentialSpec?:string gmsaCredentialSpecName?:string hostProcess?:boolean runAsUserName?:string
apps.DaemonSet apiVersion?:string kind?:string metadata?:ObjectMeta spec?:apps.DaemonSetSpec status?:apps.DaemonSetStatus
apps.DaemonSetCondition lastTransitionTime?:Time message?:string reason?:string status:string type:string
apps.DaemonSetSpec minReadySeconds?:integer revisionHistoryLimit?:integer selector:LabelSelector template:PodTemplateSpec updateStrategy?:apps.DaemonSetUpdateStrategy
apps.DaemonSetStatus collisionCount?:integer conditions?:apps.DaemonSetCondition[] currentNumberScheduled:integer desiredNumberScheduled:integer numberAvailable?:integer numberMisscheduled:integer numberReady:integer numberUnavailable?:integer observedGeneration?:integer updatedNumberScheduled?:integer
apps.DaemonSetUpdateStrategy rollingUpdate?:apps.RollingUpdateDaemonSet type?:string
apps.Deployment apiVersion?:string kind?:string metadata?:ObjectMeta spec?:apps.DeploymentSpec status?:apps.DeploymentStatus
apps.DeploymentCondition lastTransitionTime?:Time lastUpdateTime?:Time message?:string reason?:string status:string type:string
apps.DeploymentSpec minReadySeconds?:integer paused?:boolean progressDeadlineSeconds?:integer replicas?:integer revisionHistoryLimit?:integer selector:LabelSelector strategy?:apps.DeploymentStrategy template:PodTemplateSpec
apps.DeploymentStatus availableReplicas?:integer collisionCount?:integer conditions?:apps.DeploymentCondition[] observedGeneration?:integer readyReplicas?:integer replicas?:integer terminatingReplicas?:integer unavailableReplicas?:integer updatedReplicas?:integer
apps.DeploymentStrategy rollingUpdate?:apps.RollingUpdateDeployment type?:string
apps.ReplicaSet apiVersion?:string kind?:string metadata?:ObjectMeta spec?:apps.ReplicaSetSpec status?:apps.ReplicaSetStatus
apps.ReplicaSetCondition lastTransitionTime?:Time message?:string reason?:string status:string type:string
apps.ReplicaSetSpec minReadySeconds?:integer replicas?:integer selector:LabelSelector template?:PodTemplateSpec
apps.ReplicaSetStatus availableReplicas?:integer conditions?:apps.ReplicaSetCondition[] fullyLabeledReplicas?:integer observedGeneration?:integer readyReplicas?:integer replicas:integer terminatingReplicas?:integer
apps.RollingUpdateDaemonSet maxSurge?:IntOrString maxUnavailable?:IntOrString
apps.RollingUpdateDeployment maxSurge?:IntOrString maxUnavailable?:IntOrString
apps.RollingUpdateStatefulSetStrategy maxUnavailable?:IntOrString partition?:integer
apps.StatefulSet apiVersion?:string kind?:string metadata?:ObjectMeta spec?:apps.StatefulSetSpec status?:apps.StatefulSetStatus
apps.StatefulSetCondition lastTransitionTime?:Time message?:string reason?:string status:string type:string
apps.StatefulSetOrdinals start?:integer
apps.StatefulSetPersistentVolumeClaimRetentionPolicy whenDeleted?:string whenScaled?:string
apps.StatefulSetSpec minReadySeconds?:integer ordinals?:apps.StatefulSetOrdinals persistentVolumeClaimRetentionPolicy?:apps.StatefulSetPersistentVolumeClaimRetentionPolicy podManagementPolicy?:string replicas?:integer revisionHistoryLimit?:integer selector:LabelSelector serviceName:string template:PodTemplateSpec updateStrategy?:apps.StatefulSetUpdateStrategy volumeClaimTemplates?:PersistentVolumeClaim[]
apps.StatefulSetStatus availableReplicas?:integer collisionCount?:integer conditions?:apps.StatefulSetCondition[] currentReplicas?:integer currentRevision?:string observedGeneration?:integer readyReplicas?:integer replicas:integer updateRevision?:string updatedReplicas?:integer
apps.StatefulSetUpdateStrategy rollingUpdate?:apps.RollingUpdateStatefulSetStrategy type?:string
batch.CronJob apiVersion?:string kind?:string metadata?:ObjectMeta spec?:batch.CronJobSpec status?:batch.CronJobStatus
batch.CronJobSpec concurrencyPolicy?:string failedJobsHistoryLimit?:integer jobTemplate:batch.JobTemplateSpec schedule:string startingDeadlineSeconds?:integer successfulJobsHistoryLimit?:integer suspend?:boolean timeZone?:string
batch.CronJobStatus active?:ObjectReference[] lastScheduleTime?:Time lastSuccessfulTime?:Time
batch.Job apiVersion?:string kind?:string metadata?:ObjectMeta spec?:batch.JobSpec status?:batch.JobStatus
batch.JobCondition lastProbeTime?:Time lastTransitionTime?:Time message?:string reason?:string status:string type:string
batch.JobSpec activeDeadlineSeconds?:integer backoffLimit?:integer backoffLimitPerIndex?:integer completionMode?:string completions?:integer managedBy?:string manualSelector?:boolean maxFailedIndexes?:integer parallelism?:integer podFailurePolicy?:batch.PodFailurePolicy podReplacementPolicy?:string scheduling?:any selector?:LabelSelector successPolicy?:batch.SuccessPolicy suspend?:boolean template:PodTemplateSpec ttlSecondsAfterFinished?:integer
batch.JobStatus active?:integer completedIndexes?:string completionTime?:Time conditions?:batch.JobCondition[] failed?:integer failedIndexes?:string ready?:integer startTime?:Time succeeded?:integer terminating?:integer uncountedTerminatedPods?:batch.UncountedTerminatedPods
batch.JobTemplateSpec metadata?:ObjectMeta spec?:batch.JobSpec
batch.PodFailurePolicy rules:batch.PodFailurePolicyRule[]
batch.PodFailurePolicyOnExitCodesRequirement containerName?:string operator:string values:integer[]
batch.PodFailurePolicyOnPodConditionsPattern status:string type:string
batch.PodFailurePolicyRule action:string onExitCodes?:batch.PodFailurePolicyOnExitCodesRequirement onPodConditions?:batch.PodFailurePolicyOnPodConditionsPattern[]
batch.SuccessPolicy rules:batch.SuccessPolicyRule[]
batch.SuccessPolicyRule succeededCount?:integer succeededIndexes?:string
batch.UncountedTerminatedPods failed?:string[] succeeded?:string[]
discovery.Endpoint addresses:string[] conditions?:discovery.EndpointConditions deprecatedTopology?:string{} hints?:discovery.EndpointHints hostname?:string nodeName?:string targetRef?:ObjectReference zone?:string
discovery.EndpointConditions ready?:boolean serving?:boolean terminating?:boolean
discovery.EndpointHints forNodes?:discovery.ForNode[] forZones?:discovery.ForZone[]
discovery.EndpointPort appProtocol?:string name?:string port?:integer protocol?:string
discovery.EndpointSlice addressType:string apiVersion?:string endpoints:discovery.Endpoint[] kind?:string metadata?:ObjectMeta ports?:discovery.EndpointPort[]
discovery.ForNode name:string
discovery.ForZone name:string
networking.IPBlock cidr:string except?:string[]
networking.NetworkPolicy apiVersion?:string kind?:string metadata?:ObjectMeta spec?:networking.NetworkPolicySpec
networking.NetworkPolicyEgressRule ports?:networking.NetworkPolicyPort[] to?:networking.NetworkPolicyPeer[]
networking.NetworkPolicyIngressRule from?:networking.NetworkPolicyPeer[] ports?:networking.NetworkPolicyPort[]
networking.NetworkPolicyPeer ipBlock?:networking.IPBlock namespaceSelector?:LabelSelector podSelector?:LabelSelector
networking.NetworkPolicyPort endPort?:integer port?:IntOrString protocol?:string
networking.NetworkPolicySpec egress?:networking.NetworkPolicyEgressRule[] ingress?:networking.NetworkPolicyIngressRule[] podSelector:LabelSelector policyTypes?:string[]
`;

/** An apiVersion a line, and its kinds. */
export const apiKinds = `
admissionregistration.k8s.io/v1 MutatingAdmissionPolicy MutatingAdmissionPolicyBinding MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding ValidatingWebhookConfiguration
admissionregistration.k8s.io/v1alpha1 MutatingAdmissionPolicy MutatingAdmissionPolicyBinding ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding
admissionregistration.k8s.io/v1beta1 MutatingAdmissionPolicy MutatingAdmissionPolicyBinding ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding
apiextensions.k8s.io/v1 CustomResourceDefinition
apps/v1 ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet
authentication.k8s.io/v1 SelfSubjectReview TokenRequest TokenReview
authentication.k8s.io/v1alpha1 SelfSubjectReview
authentication.k8s.io/v1beta1 SelfSubjectReview
authorization.k8s.io/v1 LocalSubjectAccessReview SelfSubjectAccessReview SelfSubjectRulesReview SubjectAccessReview
autoscaling/v1 HorizontalPodAutoscaler Scale
autoscaling/v2 HorizontalPodAutoscaler
batch/v1 CronJob Job
certificates.k8s.io/v1 CertificateSigningRequest ClusterTrustBundle PodCertificateRequest
certificates.k8s.io/v1alpha1 ClusterTrustBundle PodCertificateRequest
certificates.k8s.io/v1beta1 ClusterTrustBundle PodCertificateRequest
coordination.k8s.io/v1 Lease
coordination.k8s.io/v1alpha1 LeaseCandidate
coordination.k8s.io/v1alpha2 LeaseCandidate
coordination.k8s.io/v1beta1 LeaseCandidate
discovery.k8s.io/v1 EndpointSlice
events.k8s.io/v1 Event
flowcontrol.apiserver.k8s.io/v1 FlowSchema PriorityLevelConfiguration
flowcontrol.apiserver.k8s.io/v1beta3 FlowSchema PriorityLevelConfiguration
internal.apiserver.k8s.io/v1alpha1 StorageVersion
lifecycle.k8s.io/v1alpha1 Eviction EvictionRequest
networking.k8s.io/v1 IPAddress Ingress IngressClass NetworkPolicy ServiceCIDR
networking.k8s.io/v1alpha1 IPAddress ServiceCIDR
networking.k8s.io/v1beta1 IPAddress ServiceCIDR
node.k8s.io/v1 RuntimeClass
policy/v1 Eviction PodDisruptionBudget
rbac.authorization.k8s.io/v1 ClusterRole ClusterRoleBinding Role RoleBinding
resource.k8s.io/v1 DeviceClass DeviceTaintRule ResourceClaim ResourceClaimTemplate ResourceSlice
resource.k8s.io/v1alpha2 PodSchedulingContext ResourceClaim ResourceClaimParameters ResourceClaimTemplate ResourceClass ResourceClassParameters ResourceSlice
resource.k8s.io/v1alpha3 DeviceClass DeviceTaintRule PodSchedulingContext ResourceClaim ResourceClaimTemplate ResourcePoolStatusRequest ResourceSlice
resource.k8s.io/v1beta1 DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice
resource.k8s.io/v1beta2 DeviceClass DeviceTaintRule ResourceClaim ResourceClaimTemplate ResourceSlice
scheduling.k8s.io/v1 PriorityClass
scheduling.k8s.io/v1alpha1 Workload
scheduling.k8s.io/v1alpha2 PodGroup Workload
scheduling.k8s.io/v1alpha3 CompositePodGroup PodGroup Workload
scheduling.k8s.io/v1beta1 PodGroup Workload
storage.k8s.io/v1 CSIDriver CSINode CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass
storage.k8s.io/v1alpha1 VolumeAttributesClass
storage.k8s.io/v1beta1 VolumeAttributesClass
storagemigration.k8s.io/v1 StorageVersionMigration
storagemigration.k8s.io/v1alpha1 StorageVersionMigration
storagemigration.k8s.io/v1beta1 StorageVersionMigration
v1 APIGroup APIVersions Binding ComponentStatus ConfigMap Endpoints Event LimitRange List Namespace Node PersistentVolume PersistentVolumeClaim Pod PodTemplate ReplicationController ResourceQuota Secret Service ServiceAccount
`;
