/** Kind Namespace (v1). Pods may name namespaces that no document declares. */
import type { Namespace } from '../../store/object.ts';
import { dnsLabel } from '../text-rule.ts';
import type { ObjectKind } from './object-kind.ts';

export const namespaceKind: ObjectKind<Namespace> = {
  apiVersion: 'v1',
  kind: 'Namespace',
  isNamespaced: false,
  nameRule: dnsLabel,

  /** core/v1/defaults.go, SetDefaults_Namespace: by this label policies select namespaces by name. */
  complete({ metadata }) {
    if (metadata.name !== undefined) {
      metadata.labels ??= {};
      metadata.labels['kubernetes.io/metadata.name'] = metadata.name;
    }
  },
};
