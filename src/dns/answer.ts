/** From a question to the records of the answer: what CoreDNS's plugin/backend_lookup.go does with what was found. */
import { isIpv4Words } from '../wire/address.ts';
import { type Found, find, serverService, versionLabel } from './find.ts';
import { isWithin, lowerCase, type Name, validName } from './name.ts';
import { type RecordData, RecordType, type ResourceRecord, ResponseCode } from './record.ts';
import { findReverse, reverseZoneOf } from './reverse.ts';
import type { Zone } from './zone.ts';

export interface Answer {
  readonly code: ResponseCode;
  /** Does it come from a zone of ours? */
  readonly authoritative: boolean;
  readonly answers: readonly ResourceRecord[];
  readonly authority: readonly ResourceRecord[];
  readonly additional: readonly ResourceRecord[];
}

/** Version of the specification that the zone follows (DN-002), and how long it may be remembered (DN-017). */
const SCHEMA_VERSION = '1.1.0';
const SCHEMA_VERSION_TTL_SECONDS = 28_800;
/** RFC 1035 §3.3.13 in seconds, as DN-021 has them. */
const soaTimes = { refreshSeconds: 7200, retrySeconds: 1800, expireSeconds: 86_400 };
const SOA_TTL_MAX_SECONDS = 300;
const primaryPrefix = validName('ns.dns');
const mailboxPrefix = validName('hostmaster');
const versionName = validName(versionLabel);
/** Links of a chain of external services, besides the last; rings end here too (DN-034). */
const CHAIN_MAX = 10;
const SRV_WEIGHT_TOTAL = 100;

/** What a name has of the type asked for. Nothing of it: there are other types. */
interface Records {
  readonly answers: readonly ResourceRecord[];
  readonly additional?: readonly ResourceRecord[];
}
const noRecords: Records = { answers: [] };

/** @param name as it was asked: owners in the answer are written in its letter case. */
export function answer(zone: Zone, name: Name, type: number): Answer {
  const lower = lowerCase(name);
  const apex = isWithin(lower, zone.domain) ? zone.domain : reverseZoneOf(lower);
  // Not SERVFAIL, which says that it may be better soon: musl and systemd-resolved would ask again, Go calls it temporary.
  if (apex === undefined) return empty(ResponseCode.refused, false);
  if (type === RecordType.AXFR || type === RecordType.IXFR) return empty(ResponseCode.refused, false); // DN-041
  const zoneName = name.slice(name.length - apex.length);
  const records = lower === apex ? ofApex(zone, name, type) : ofName(zone, name, apex, type);
  const negative = records === undefined || records.answers.length === 0;
  return {
    code: records === undefined ? ResponseCode.nameError : ResponseCode.noError,
    authoritative: true,
    answers: records?.answers ?? [],
    authority: negative ? [startOfAuthority(zone, zoneName)] : [],
    additional: records?.additional ?? [],
  };
}

function empty(code: ResponseCode, authoritative: boolean): Answer {
  return { code, authoritative, answers: [], authority: [], additional: [] };
}

function ofApex(zone: Zone, name: Name, type: number): Records {
  if (type === RecordType.SOA) return { answers: [startOfAuthority(zone, name)] };
  if (type === RecordType.NS) return nameServers(zone, name);
  return type === RecordType.ANY ? minimal(zone, name) : noRecords; // DN-023
}

/** @returns undefined when there is no such name. */
function ofName(zone: Zone, name: Name, apex: Name, type: number): Records | undefined {
  if (apex !== zone.domain) {
    const targets = findReverse(zone, lowerCase(name), apex);
    if (targets === undefined) return undefined;
    if (type === RecordType.ANY) return minimal(zone, name);
    if (type !== RecordType.PTR) return noRecords;
    return { answers: targets.map((target) => record(zone, name, { type: RecordType.PTR, target })) };
  }
  const found = find(zone, name);
  if (found === undefined) return undefined;
  switch (type) {
    case RecordType.A:
    case RecordType.AAAA:
      return { answers: addresses(zone, name, found, type, 0) };
    case RecordType.CNAME:
      return { answers: found.flatMap((one) => (one.kind === 'alias' ? alias(zone, name, one.target) : [])) };
    case RecordType.SRV:
      return services(zone, name, found);
    case RecordType.TXT:
      return version(zone, name);
    case RecordType.ANY:
      return minimal(zone, name);
    default:
      return noRecords; // DN-022
  }
}

/** Addresses of the family asked for (DN-019), each once (DN-038), behind the aliases that lead to them (DN-034). */
function addresses(
  zone: Zone,
  owner: Name,
  found: readonly Found[],
  type: typeof RecordType.A | typeof RecordType.AAAA,
  links: number,
): ResourceRecord[] {
  const records: ResourceRecord[] = [];
  const seen = new Set<string>();
  for (const one of found) {
    if (one.kind === 'alias') {
      records.push(...chase(zone, owner, one.target, type, links));
    } else if (typeOf(one.address) === type && (found.length === 1 || isNew(seen, one.address.join()))) {
      records.push(record(zone, owner, { type, address: one.address }));
    }
  }
  return records;
}

/**
 * The alias and what it leads to; nothing when that is nothing, so that no client is sent after it. Nobody can be asked
 * about names outside the zone: there the alias is all (DN-013), as in CoreDNS when its upstream answers without records.
 */
function chase(
  zone: Zone,
  owner: Name,
  target: Name,
  type: typeof RecordType.A | typeof RecordType.AAAA,
  links: number,
): ResourceRecord[] {
  if (links > CHAIN_MAX) return [];
  if (!isWithin(lowerCase(target), zone.domain)) return [alias(zone, owner, target)];
  const rest = addresses(zone, target, find(zone, target) ?? [], type, links + 1);
  return rest.length > 0 ? [alias(zone, owner, target), ...rest] : [];
}

function alias(zone: Zone, owner: Name, target: Name): ResourceRecord {
  return record(zone, owner, { type: RecordType.CNAME, target });
}

/** DN-004, DN-010, DN-037; without ports that have no name (DN-005), and with the targets' addresses (DN-014). */
function services(zone: Zone, owner: Name, found: readonly Found[]): Records {
  const answers: ResourceRecord[] = [];
  const additional: ResourceRecord[] = [];
  const seen = new Set<string>();
  const ports = found.flatMap((one) =>
    one.kind === 'address' && one.port !== undefined && one.port.name !== '' ? { ...one, port: one.port.port } : [],
  );
  const weight = Math.max(1, Math.floor(SRV_WEIGHT_TOTAL / ports.length));
  for (const { port, address, owner: target } of ports) {
    if (isNew(seen, `${port} ${target}`)) {
      answers.push(record(zone, owner, { type: RecordType.SRV, priority: 0, weight, port, target }));
    }
    if (isNew(seen, `${address.join()} ${target}`)) {
      additional.push(record(zone, target, { type: typeOf(address), address }));
    }
  }
  return { answers, additional };
}

function version(zone: Zone, name: Name): Records {
  if (lowerCase(name) !== versionName + zone.domain) return noRecords;
  const data = { type: RecordType.TXT, texts: [SCHEMA_VERSION] } as const;
  return { answers: [{ owner: name, ttlSeconds: SCHEMA_VERSION_TTL_SECONDS, data }] };
}

/** Instead of all that a name has, which nobody needs: RFC 8482 §4.2. */
function minimal(zone: Zone, name: Name): Records {
  return { answers: [record(zone, name, { type: RecordType.HINFO, texts: ['RFC8482', ''] })] };
}

/** The service that pods ask, with its addresses; before it is there, the name that SOA records have. */
function nameServers(zone: Zone, owner: Name): Records {
  const service = serverService(zone);
  const target = service?.name ?? primaryPrefix + owner;
  const additional = (service?.addresses ?? []).map((address) =>
    record(zone, target, { type: typeOf(address), address }),
  );
  return { answers: [record(zone, owner, { type: RecordType.NS, target })], additional };
}

/** DN-021 */
function startOfAuthority(zone: Zone, owner: Name): ResourceRecord {
  const { ttlSeconds } = zone.settings;
  const data = {
    type: RecordType.SOA,
    primary: primaryPrefix + owner,
    mailbox: mailboxPrefix + owner,
    serial: zone.serial,
    ...soaTimes,
    minimumSeconds: ttlSeconds,
  } as const;
  return { owner, ttlSeconds: Math.min(ttlSeconds, SOA_TTL_MAX_SECONDS), data };
}

function record(zone: Zone, owner: Name, data: RecordData): ResourceRecord {
  return { owner, ttlSeconds: zone.settings.ttlSeconds, data };
}

function typeOf(address: Int32Array): typeof RecordType.A | typeof RecordType.AAAA {
  return isIpv4Words(address, 0) ? RecordType.A : RecordType.AAAA;
}

function isNew(seen: Set<string>, key: string): boolean {
  return seen.size < seen.add(key).size;
}
