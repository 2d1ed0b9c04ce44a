/**
 * What an API server takes as the spec of a NetworkPolicy, written from its sources and from nothing of ours:
 * pkg/apis/networking/validation (ValidateNetworkPolicySpec), apimachinery's meta/v1/validation (ValidateLabelSelector),
 * util/validation and api/validate (with StrictIPCIDRValidation), and what Go's decoder takes with
 * `fieldValidation=Strict`. A null in a list is not decided here.
 */
import { isIP } from 'node:net';

type Json = unknown;
type Rule = (value: Json) => boolean;

/** A pointer, list or map that is null or left out is nothing. */
const nothingOr =
  (rule: Rule): Rule =>
  (value) =>
    value === undefined || value === null || rule(value);

const text = (rule: (text: string) => boolean) => (value: Json) => typeof value === 'string' && rule(value);
const listOf = (rule: Rule) => nothingOr((value) => Array.isArray(value) && value.every(rule));

function struct(fields: Readonly<Record<string, Rule>>, whole: (value: Record<string, Json>) => boolean): Rule {
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const record = value as Record<string, Json>;
    if (Object.keys(record).some((name) => fields[name] === undefined)) return false;
    return Object.entries(fields).every(([name, rule]) => rule(record[name])) && whole(record);
  };
}

const isInt32 = (value: Json): value is number => Number.isInteger(value) && Math.abs(value as number) < 2 ** 31;
const isPort = (value: Json) => isInt32(value) && value > 0 && value < 65536;

/** IsValidPortName */
const isPortName = text((name) => {
  if (name.length > 15 || !/^[-a-z0-9]+$/.test(name) || !/[a-z]/.test(name)) return false;
  return !name.includes('--') && !name.startsWith('-') && !name.endsWith('-');
});

const QUALIFIED = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** IsQualifiedName */
const isLabelKey = text((key) => {
  const parts = key.split('/');
  const name = parts.pop()!;
  if (parts.length > 1 || name.length > 63 || !QUALIFIED.test(name)) return false;
  return parts.every((prefix) => prefix.length <= 253 && SUBDOMAIN.test(prefix));
});

/** IsValidLabelValue */
const isLabelValue = text((value) => value === '' || (value.length <= 63 && QUALIFIED.test(value)));

const isLabels = nothingOr((labels) => {
  if (typeof labels !== 'object' || Array.isArray(labels)) return false;
  return Object.entries(labels!).every(([key, value]) => isLabelKey(key) && nothingOr(isLabelValue)(value));
});

const isRequirement = struct({ key: isLabelKey, operator: text(() => true), values: listOf(isLabelValue) }, (made) => {
  const count = ((made['values'] ?? []) as Json[]).length;
  if (made['operator'] === 'In' || made['operator'] === 'NotIn') return count > 0;
  return (made['operator'] === 'Exists' || made['operator'] === 'DoesNotExist') && count === 0;
});

const isSelector = struct({ matchLabels: isLabels, matchExpressions: listOf(isRequirement) }, () => true);

/** ParsePrefix: the address as bits, and how many of them count. */
function prefixOf(cidr: string): { bits: string; length: number } | undefined {
  const [address = '', length = '', ...rest] = cidr.split('/');
  const version = isIP(address);
  if (version === 0 || address.includes('%') || rest.length > 0 || !/^(0|[1-9]\d*)$/.test(length)) return undefined;
  const bits = version === 4 ? bitsOfV4(address) : bitsOfV6(address);
  const isMapped = version === 6 && bits.startsWith('0'.repeat(80) + '1'.repeat(16));
  return Number(length) > bits.length || isMapped ? undefined : { bits, length: Number(length) };
}

const binary = (number: number, len: number) => number.toString(2).padStart(len, '0');
const bitsOfV4 = (address: string) =>
  address
    .split('.')
    .map((byte) => binary(Number(byte), 8))
    .join('');

function bitsOfV6(address: string): string {
  const [before = '', after] = address.split('::');
  const groups = (half: string) =>
    half
      .split(':')
      .filter((group) => group !== '')
      .map((group) => (group.includes('.') ? bitsOfV4(group) : binary(Number.parseInt(group, 16), 16)))
      .join('');
  if (after === undefined) return groups(before);
  const end = groups(after);
  return groups(before).padEnd(128 - end.length, '0') + end;
}

const isCidr = (cidr: string) => {
  const prefix = prefixOf(cidr);
  return prefix !== undefined && !prefix.bits.slice(prefix.length).includes('1');
};

/** ValidateIPBlock */
const isBlock = struct({ cidr: text(isCidr), except: listOf(text(isCidr)) }, ({ cidr, except }) => {
  const whole = prefixOf(cidr as string)!;
  return ((except ?? []) as string[]).every((each) => {
    const part = prefixOf(each)!;
    const isSameFamily = part.bits.length === whole.bits.length;
    return isSameFamily && part.length > whole.length && part.bits.startsWith(whole.bits.slice(0, whole.length));
  });
});

/** ValidateNetworkPolicyPeer */
const isPeer = struct(
  { podSelector: nothingOr(isSelector), namespaceSelector: nothingOr(isSelector), ipBlock: nothingOr(isBlock) },
  ({ podSelector = null, namespaceSelector = null, ipBlock = null }) =>
    ipBlock === null
      ? podSelector !== null || namespaceSelector !== null
      : podSelector === null && namespaceSelector === null,
);

/** ValidateNetworkPolicyPort; the protocol is a pointer, so that an empty one is one that is not supported */
const isRulePort = struct(
  {
    protocol: nothingOr((name) => name === 'TCP' || name === 'UDP' || name === 'SCTP'),
    port: nothingOr((port) => isPort(port) || isPortName(port)),
    endPort: nothingOr(isPort),
  },
  ({ port, endPort = null }) => endPort === null || (typeof port === 'number' && (endPort as number) >= port),
);

const isRule = (side: string) => struct({ ports: listOf(isRulePort), [side]: listOf(isPeer) }, () => true);

const isSpec = struct(
  {
    podSelector: nothingOr(isSelector),
    ingress: listOf(isRule('from')),
    egress: listOf(isRule('to')),
    policyTypes: listOf((type) => type === 'Ingress' || type === 'Egress'),
  },
  ({ policyTypes }) => ((policyTypes ?? []) as Json[]).length <= 2,
);

export function serverTakes(spec: unknown): boolean {
  return isSpec(spec);
}
