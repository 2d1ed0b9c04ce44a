/** Kinds ConfigMap and Secret (v1): data that pods may name. */
import type { ConfigMap as ConfigMapFields, Secret as SecretFields } from 'kubernetes-types/core/v1.d.ts';
import type { KubernetesObject } from '../../store/object.ts';
import { shown } from '../field.ts';
import { childPath } from '../source-tree.ts';
import { dnsSubdomain, type TextRule } from '../text-rule.ts';
import type { ObjectCheck } from './object-check.ts';
import type { ObjectKind } from './object-kind.ts';

type ConfigMap = KubernetesObject & Pick<ConfigMapFields, 'data' | 'binaryData'>;
type Secret = KubernetesObject & Pick<SecretFields, 'data' | 'stringData' | 'type'>;

/** core/types.go, MaxSecretSize: 1 MiB of values. */
const DATA_BYTES_MAX = 1024 * 1024;

/** apimachinery, util/validation: IsConfigMapKey. */
const dataKey: TextRule = {
  expected: "a key: at most 253 letters, digits, '-', '_' and '.', not beginning with '..', such as app.properties",
  holds: (text) => text.length <= 253 && /^[-._a-zA-Z0-9]+$/.test(text) && text !== '.' && !text.startsWith('..'),
};

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Keys that secrets of a type must have (core/validation: ValidateSecret). */
const requiredKeys: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

export const configMapKind: ObjectKind<ConfigMap> = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  isNamespaced: true,
  nameRule: dnsSubdomain,

  check({ data = {}, binaryData = {} }, problems) {
    const size = checkKeys('data', data, problems) + checkBytes('binaryData', binaryData, problems);
    checkSize('data', size, problems);
    for (const key of Object.keys(data).filter((name) => Object.hasOwn(binaryData, name))) {
      problems.refuse(childPath('data', key), `found ${shown(key)} in binaryData too, expected it once; remove one`);
    }
  },
};

export const secretKind: ObjectKind<Secret> = {
  apiVersion: 'v1',
  kind: 'Secret',
  isNamespaced: true,
  nameRule: dnsSubdomain,

  complete(secret) {
    secret.type ??= 'Opaque';
  },

  check(secret, problems) {
    const { type, data = {}, stringData = {} } = secret;
    const size = checkBytes('data', data, problems) + checkKeys('stringData', stringData, problems);
    checkSize('data', size, problems);
    for (const key of requiredKeys[type ?? ''] ?? []) {
      if (Object.hasOwn(data, key) || Object.hasOwn(stringData, key)) continue;
      problems.refuse('data', `found no ${key}, expected one in a secret of type ${type}; add it`);
    }
    foldStringData(secret);
  },
};

/** `stringData` is for writing only: readers see it under `data` (core/v1/conversion.go). */
function foldStringData(secret: Secret): void {
  const { data = {}, stringData } = secret;
  if (stringData === undefined) return;
  const written = Object.entries(stringData).map(([key, text]) => [key, Buffer.from(text).toString('base64')] as const);
  secret.data = Object.fromEntries([...Object.entries(data), ...written]);
  delete secret.stringData;
}

/** @returns the bytes of all values */
function checkKeys(field: string, values: Readonly<Record<string, string>>, problems: ObjectCheck): number {
  let size = 0;
  for (const [key, value] of Object.entries(values)) {
    if (!dataKey.holds(key)) {
      problems.refuse(childPath(field, key), `found the key ${shown(key)}, expected ${dataKey.expected}`);
    }
    size += Buffer.byteLength(value);
  }
  return size;
}

function checkBytes(field: string, values: Readonly<Record<string, string>>, problems: ObjectCheck): number {
  checkKeys(field, values, problems);
  let size = 0;
  for (const [key, value] of Object.entries(values)) {
    // Go's decoder passes over line ends.
    const text = value.replaceAll(/[\r\n]/g, '');
    if (!BASE64.test(text)) {
      const remedy = field === 'data' ? ', or write the text under stringData' : '';
      problems.refuse(childPath(field, key), `found text that is not base64, expected base64; encode it${remedy}`);
    }
    size += Math.floor((text.length * 3) / 4);
  }
  return size;
}

function checkSize(field: string, size: number, problems: ObjectCheck): void {
  if (size > DATA_BYTES_MAX) {
    problems.refuse(field, `found values of ${size} bytes, expected at most ${DATA_BYTES_MAX}; shorten them`);
  }
}
