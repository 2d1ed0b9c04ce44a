/** What Kubernetes allows in names and keys (apimachinery, pkg/util/validation). */

/** A condition on a string, and the words for "expected …" when it does not hold. */
export interface TextRule {
  readonly expected: string;
  readonly holds: (text: string) => boolean;
}

function pattern(expected: string, lengthMax: number, regex: RegExp): TextRule {
  return { expected, holds: (text) => text.length <= lengthMax && regex.test(text) };
}

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const SUBDOMAIN = new RegExp(`^${LABEL}(\\.${LABEL})*$`);
const QUALIFIED_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** Namespaces, containers, host names. */
export const dnsLabel = pattern(
  "a DNS label: at most 63 lower-case letters, digits and '-', a letter or digit at both ends, such as web-1",
  63,
  new RegExp(`^${LABEL}$`),
);

/** Names of most objects. */
export const dnsSubdomain = pattern(
  "a DNS subdomain: at most 253 lower-case letters, digits, '-' and '.', each part with a letter or digit at both ends, such as web-1",
  253,
  SUBDOMAIN,
);

/** Kubernetes allows node names of 253 characters; a node here is also a Linux host name, which ends at 64. */
export const nodeName = pattern(
  "a node name: at most 63 lower-case letters, digits, '-' and '.', each part with a letter or digit at both ends, such as n1",
  63,
  SUBDOMAIN,
);

/** Names of ports (an IANA service name, RFC 6335 section 5.1). */
export const portName: TextRule = {
  expected:
    "a port name: at most 15 lower-case letters, digits and single '-' inside, with at least one letter, such as http",
  holds: (text) => text.length <= 15 && /^[a-z0-9]+(-[a-z0-9]+)*$/.test(text) && /[a-z]/.test(text),
};

/** Keys of labels. */
export const labelKey: TextRule = {
  expected:
    "a label key: at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends, if need be after a DNS subdomain and '/', such as app.kubernetes.io/name",
  holds: (text) => {
    const slash = text.indexOf('/');
    const name = text.slice(slash + 1);
    if (slash >= 0 && !dnsSubdomain.holds(text.slice(0, slash))) return false;
    return name.length <= 63 && QUALIFIED_NAME.test(name);
  },
};

/** Keys of annotations: the prefix may hold capitals (apimachinery lowers the key before it looks). */
export const annotationKey: TextRule = {
  expected: labelKey.expected.replace('a label key', 'an annotation key'),
  holds: (text) => labelKey.holds(text.toLowerCase()),
};

/** Values of labels. */
export const labelValue: TextRule = {
  expected: "a label value: empty, or at most 63 letters, digits, '-', '_' and '.' with a letter or digit at both ends",
  holds: (text) => text === '' || (text.length <= 63 && QUALIFIED_NAME.test(text)),
};

/** Names of Services (a DNS label as RFC 1035 has it). */
export const serviceName = pattern(
  "a DNS label that begins with a letter: at most 63 lower-case letters, digits and '-', such as web-1",
  63,
  /^[a-z]([-a-z0-9]*[a-z0-9])?$/,
);

/** A name that may have a prefix: appProtocol. */
export const qualifiedName: TextRule = { ...labelKey, expected: labelKey.expected.replace('a label key', 'a name') };

/** Transport protocols of ports (core/validation: supportedPortProtocols). */
export const protocols = ['TCP', 'UDP', 'SCTP'] as const;
