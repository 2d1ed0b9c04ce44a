import { type Answer, answer } from './answer.ts';
import { Flag, type Query, readQuery } from './message.ts';
import { MESSAGE_LEN_MAX, MessageWriter, Section } from './message-writer.ts';
import { CLASS_IN, RecordType, type ResourceRecord, ResponseCode } from './record.ts';
import type { Zone } from './zone.ts';

export type Transport = 'udp' | 'tcp';

/** What everybody takes over UDP (RFC 1035 §4.2.1). */
const PLAIN_PAYLOAD_LEN = 512;
/** However much a client says it takes (RFC 6891 §6.2.5). CoreDNS sends what is asked for, in fragments if need be. */
const PAYLOAD_LEN_MAX = 4096;

/** Answers queries: bytes in, bytes out. It does no I/O; randomness is handed in. */
export class Responder {
  /** Replaced between two queries. Before there is one, nothing can be said about any name. */
  zone: Zone | undefined;
  readonly #random: () => number;
  readonly #writer = new MessageWriter();

  /** @param random 32 random bits a call: they choose the order of addresses. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** @returns undefined for what must not be answered: see `readQuery`. */
  respond(bytes: Uint8Array, transport: Transport): Uint8Array | undefined {
    const query = readQuery(bytes);
    if (query === undefined) return undefined;
    const { code, authoritative, answers, authority, additional } = this.#answer(query);
    const writer = this.#writer;
    writer.begin(query, bytes, longest(query, transport));
    if (authoritative) writer.setFlags(Flag.authoritative);
    const whole =
      this.#shuffled(answers).every((record) => writer.add(Section.answer, record)) &&
      authority.every((record) => writer.add(Section.authority, record));
    // Only what was asked for is missed (RFC 2181 §9): addresses of targets can be asked for.
    if (whole) additional.every((record) => writer.add(Section.additional, record));
    else writer.setFlags(Flag.truncated);
    return writer.finish(code);
  }

  #answer(query: Query): Answer {
    if (query.problem !== ResponseCode.noError) return without(query.problem);
    if (query.class !== CLASS_IN) return without(ResponseCode.refused);
    if (this.zone === undefined) return without(ResponseCode.serverFailure); // DN-040
    return answer(this.zone, query.name, query.type);
  }

  /** Addresses, which come last, in any order (DN-044), each order as likely as any other (Fisher and Yates). */
  #shuffled(records: readonly ResourceRecord[]): readonly ResourceRecord[] {
    const first = records.findIndex(({ data }) => data.type === RecordType.A || data.type === RecordType.AAAA);
    if (first < 0 || first === records.length - 1) return records;
    const shuffled = [...records];
    for (let i = shuffled.length - 1; i > first; i--) {
      const other = first + ((this.#random() >>> 0) % (i - first + 1));
      [shuffled[i], shuffled[other]] = [shuffled[other]!, shuffled[i]!];
    }
    return shuffled;
  }
}

/** DN-054. What is below 512 counts as 512 (RFC 6891 §6.2.3). */
function longest(query: Query, transport: Transport): number {
  if (transport === 'tcp') return MESSAGE_LEN_MAX;
  return Math.min(PAYLOAD_LEN_MAX, Math.max(PLAIN_PAYLOAD_LEN, query.edns?.payloadLen ?? 0));
}

function without(code: ResponseCode): Answer {
  return { code, authoritative: false, answers: [], authority: [], additional: [] };
}
