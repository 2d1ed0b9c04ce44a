/**
 * Filter expressions of pcap-filter(7) as conditions. `and` and `or` bind equally and from the left, `not` binds closer,
 * and behind them qualifiers may be left out: `port 80 or 443`.
 *
 * Our own: `outer:` and `inner:` in front of a primitive or of a parenthesis say which header is meant, the one between
 * nodes or the one between pods. Without them a primitive is true when it holds for one of both.
 */
import { all, any, type Condition, type Foreign, type Scope } from './condition.ts';
import { arithmeticName, libpcapWords, ownWords, portProtocols, refusedPrimitives } from './names.ts';
import { numberOf, type OperandType, operand, type Qualifiers, signed } from './operand.ts';
import {
  type AddressProtocol,
  type Direction,
  etherBroadcast,
  etherMulticast,
  etherTypes,
  ipProtocol,
  ipv4Multicast,
  ipv6Multicast,
  lengthAtLeast,
  lengthAtMost,
} from './primitives.ts';
import { TokenReader } from './token-reader.ts';
import type { Token } from './tokens.ts';

/** Parentheses inside parentheses: what reads them calls itself. */
const NESTING_MAX = 100;
/** More would hardly fit a program. */
const PRIMITIVES_MAX = 1000;
/** Of one primitive for libpcap, whose time grows faster than its text. */
const FOREIGN_TEXT_MAX = 1000;
const LENGTH_MAX = 0xffff_ffff;

const protocols: Readonly<Record<string, Condition>> = {
  ...etherTypes,
  tcp: ipProtocol(6, undefined),
  udp: ipProtocol(17, undefined),
  sctp: ipProtocol(132, undefined),
  icmp: ipProtocol(1, 'ip'),
  igmp: ipProtocol(2, 'ip'),
  icmp6: ipProtocol(58, 'ip6'),
};
const directions: Readonly<Record<string, Direction>> = { src: 'source', dst: 'destination' };
const operandTypes: readonly string[] = ['host', 'net', 'port', 'portrange'];
const arithmeticSymbols = new Set('[ + - * / % & | ^ << >> = == != < > <= >='.split(' '));

export interface ParsedFilter {
  readonly condition: Condition;
  /** The primitives among it that libpcap is to compile. */
  readonly foreign: readonly Foreign[];
}

/** Throws `FilterError`. An empty expression is true for every packet. */
export function parseFilter(text: string): ParsedFilter {
  return new Parser(text).filter();
}

interface Term {
  readonly condition: Condition;
  /** What an operand without qualifiers takes over. */
  readonly qualifiers?: Qualifiers;
}

/** What stands in front of a primitive or a parenthesis. */
interface Prefix {
  readonly negated: boolean;
  readonly scope: Scope;
}

class Parser {
  readonly #reader: TokenReader;
  readonly #foreign: Foreign[] = [];
  #primitives = 0;
  #nesting = 0;

  constructor(text: string) {
    this.#reader = new TokenReader(text);
  }

  filter(): ParsedFilter {
    if (this.#reader.peek().kind === 'end') return { condition: all(), foreign: [] };
    const { condition } = this.#chain((scope) => this.#term(scope), 'either');
    if (this.#reader.peek().kind !== 'end') this.#reader.fail('"and", "or" or the end');
    return { condition, foreign: this.#foreign };
  }

  /** Terms with `and` and `or` between them. */
  #chain(first: (scope: Scope) => Term, scope: Scope): Term {
    let { condition, qualifiers } = first(scope);
    let list: Condition[] = [];
    let kind: 'all' | 'any' | undefined;
    for (;;) {
      const connective = this.#reader.peek().kind;
      if (connective !== 'and' && connective !== 'or') break;
      this.#reader.take();
      const next = this.#operandFollows() && qualifiers ? this.#operands(qualifiers) : this.#term(scope);
      if (kind !== (connective === 'and' ? 'all' : 'any')) {
        kind = connective === 'and' ? 'all' : 'any';
        list = [condition];
        condition = { kind, of: list };
      }
      list.push(next.condition);
      qualifiers = next.qualifiers;
    }
    return { condition, ...(qualifiers === undefined ? {} : { qualifiers }) };
  }

  #term(outside: Scope): Term {
    const { negated, scope } = this.#prefix(outside);
    if (this.#reader.peek().text !== '(' || this.#isArithmetic()) {
      const { condition, ...rest } = this.#primitive(scope);
      return { condition: signed(condition, negated), ...rest };
    }
    const { condition } = this.#parenthesis(() => this.#chain((within) => this.#term(within), scope));
    return { condition: signed(condition, negated) };
  }

  #prefix(outside: Scope): Prefix {
    const prefix = { negated: false, scope: outside };
    for (;;) {
      const { kind, text } = this.#reader.peek();
      if (kind === 'not') prefix.negated = !prefix.negated;
      else if (kind !== 'scope') return prefix;
      else if (prefix.scope === 'either') prefix.scope = text as Scope;
      else if (text !== prefix.scope) this.#reader.fail(`nothing of the other header behind "${prefix.scope}:"`);
      this.#reader.take();
    }
  }

  #parenthesis(content: () => Term): Term {
    if (this.#nesting === NESTING_MAX) this.#reader.fail(`at most ${NESTING_MAX} parentheses inside each other`);
    this.#nesting++;
    this.#reader.take();
    const term = content();
    if (!this.#reader.takes(')')) this.#reader.fail('"and", "or" or ")"');
    this.#nesting--;
    return term;
  }

  /** Is what follows `and` or `or` an operand alone? Signs and parentheses may stand in front of it. */
  #operandFollows(): boolean {
    let ahead = 0;
    for (; ; ahead++) {
      const { kind, text } = this.#reader.peek(ahead);
      if (kind !== 'not' && kind !== 'scope' && text !== '(') break;
    }
    const { kind, text } = this.#reader.peek(ahead);
    return kind === 'word' && !isWordOfLanguage(text) && !this.#isArithmetic(ahead);
  }

  /** One operand, or several in parentheses; all with the qualifiers in front of the first. */
  #operands(qualifiers: Qualifiers): Term {
    const { negated, scope } = this.#prefix('either');
    const own = scope === 'either' ? qualifiers : { ...qualifiers, scope };
    if (this.#reader.peek().text === '(') {
      const { condition } = this.#parenthesis(() => this.#chain(() => this.#operands(own), own.scope));
      return { condition: signed(condition, negated), qualifiers };
    }
    const { start } = this.#reader.peek();
    const condition = operand(this.#reader, own, (text) => this.#toLibpcap(text, start));
    return { condition: signed(this.#scoped(condition, own.scope), negated), qualifiers: own };
  }

  #scoped(of: Condition, scope: Scope): Condition {
    if (++this.#primitives > PRIMITIVES_MAX) this.#reader.fail(`at most ${PRIMITIVES_MAX} primitives`);
    return { kind: 'scoped', scope, of };
  }

  #primitive(scope: Scope): Term {
    const { kind, text } = this.#reader.peek();
    if (this.#isArithmetic()) return { condition: this.#scoped(this.#length() ?? this.#libpcapPrimitive(), scope) };
    if (kind !== 'word') this.#reader.fail('a primitive, such as "host 10.244.0.2" or "tcp port 80"');
    if (Object.hasOwn(refusedPrimitives, text)) this.#reader.fail('another primitive', refusedPrimitives[text]);
    if (libpcapWords.has(text)) return { condition: this.#scoped(this.#libpcapPrimitive(), scope) };
    if (text === 'less' || text === 'greater') {
      this.#reader.take();
      const bytes = this.#number();
      return { condition: this.#scoped(text === 'less' ? lengthAtMost(bytes) : lengthAtLeast(bytes), scope) };
    }
    if (isWordOfLanguage(text)) return this.#qualified(scope);
    if (/^[\d.]+$|^[\da-f:]+:[\da-f:.]*$/i.test(text)) return this.#operands(qualifiersOf(scope));
    return this.#reader.fail('a primitive, such as "host 10.244.0.2" or "tcp port 80"');
  }

  /** `[protocol] [direction] [type] operand`, or a protocol alone. */
  #qualified(scope: Scope): Term {
    const reader = this.#reader;
    const first = reader.peek();
    const protocol = Object.hasOwn(protocols, first.text) || isEther(first.text) ? reader.take().text : undefined;
    const special = this.#broadcastOrMulticast(protocol);
    if (special !== undefined) return { condition: this.#scoped(special, scope) };
    const direction = this.#direction();
    const typeToken = reader.peek();
    const type = this.#operandType(direction !== undefined);
    if (type === undefined && direction === undefined) {
      if (protocol !== undefined && Object.hasOwn(protocols, protocol)) {
        return { condition: this.#scoped(protocols[protocol]!, scope) };
      }
      reader.fail(protocol === undefined ? 'a primitive' : '"host", "src", "dst", "proto", "broadcast" or "multicast"');
    }
    const qualifiers = qualifiersOf(scope, protocol, direction, type);
    if (!fits(qualifiers)) {
      const remedy = `write "${protocol} and ${direction === undefined ? '' : 'src '}${type ?? 'host'} …"`;
      throw reader.fault(typeToken, `something that "${protocol}" has`, isEther(protocol!) ? undefined : remedy);
    }
    return this.#operands(qualifiers);
  }

  #broadcastOrMulticast(protocol: string | undefined): Condition | undefined {
    const { text } = this.#reader.peek();
    if (text !== 'broadcast' && text !== 'multicast') return undefined;
    const ether = protocol === undefined || isEther(protocol);
    const multicast = text === 'multicast';
    if (!ether && !(multicast && (protocol === 'ip' || protocol === 'ip6'))) {
      const remedy = multicast
        ? 'only "ether", "ip" and "ip6" have it'
        : 'a filter knows no netmask; write "dst host …"';
      this.#reader.fail(`something that "${protocol}" has`, remedy);
    }
    this.#reader.take();
    if (ether) return multicast ? etherMulticast : etherBroadcast;
    return protocol === 'ip' ? ipv4Multicast : ipv6Multicast;
  }

  /** `src`, `dst`, `src or dst`, `src and dst`, or these two the other way round. */
  #direction(): Direction | undefined {
    const { text } = this.#reader.peek();
    if (!Object.hasOwn(directions, text)) return undefined;
    this.#reader.take();
    const [connective, second] = [this.#reader.peek(), this.#reader.peek(1)];
    if (second.text === text || !Object.hasOwn(directions, second.text)) return directions[text];
    if (connective.kind !== 'or' && connective.kind !== 'and') return directions[text];
    // `src or dst port 80`, but not the `dst` of a primitive of its own, which has an operand in front of `or`.
    this.#reader.skipTo(this.#reader.position + 2);
    return connective.kind === 'or' ? 'any' : 'both';
  }

  #operandType(directed: boolean): OperandType | undefined {
    const { text } = this.#reader.peek();
    if (Object.hasOwn(refusedPrimitives, text)) this.#reader.fail('another primitive', refusedPrimitives[text]);
    if (!operandTypes.includes(text) && (text !== 'proto' || directed)) return undefined;
    this.#reader.take();
    return text as OperandType;
  }

  /** `len` compared with a number; undefined for what is more than that. */
  #length(): Condition | undefined {
    const reader = this.#reader;
    const [subject, relation, number, behind] = [reader.peek(), reader.peek(1), reader.peek(2), reader.peek(3)];
    const bytes = numberOf(number.text, LENGTH_MAX);
    const compares = Object.hasOwn(lengthConditions, relation.text);
    const ends = behind.kind === 'end' || behind.kind === 'and' || behind.kind === 'or' || behind.text === ')';
    if ((subject.text !== 'len' && subject.text !== 'length') || !compares || bytes === undefined || !ends) return;
    reader.skipTo(reader.position + 3);
    return lengthConditions[relation.text]!(bytes);
  }

  #number(): number {
    const number = numberOf(this.#reader.peek().text, LENGTH_MAX);
    if (number === undefined) this.#reader.fail('a number of bytes');
    this.#reader.take();
    return number;
  }

  /** Does a term of byte arithmetic begin here: `tcp[13]`, `len`, `(ip[0] & 15) …`, `2 * len`? */
  #isArithmetic(ahead = 0): boolean {
    const { kind, text, closedBy } = this.#reader.peek(ahead);
    if (text === '-' || text === 'len' || text === 'length') return true;
    const behind = closedBy === undefined ? this.#reader.peek(ahead + 1) : this.#reader.at(closedBy + 1);
    const address = kind === 'word' && /[.:]/.test(text);
    return (kind === 'word' || text === '(') && !address && arithmeticSymbols.has(behind.text);
  }

  /** Takes the tokens up to the next connective or closing parenthesis, and leaves them to libpcap. */
  #libpcapPrimitive(): Condition {
    const reader = this.#reader;
    const { start } = reader.peek();
    let last: Token | undefined;
    for (;;) {
      const token = reader.peek();
      if (token.kind === 'end' || token.kind === 'and' || token.kind === 'or' || token.kind === 'not') break;
      if (token.text === ')') break;
      this.#checkForLibpcap(reader.position, token.closedBy ?? reader.position);
      reader.skipTo((token.closedBy ?? reader.position) + 1);
      last = reader.at(reader.position - 1);
    }
    return this.#toLibpcap(reader.text.slice(start, last?.end ?? start), start);
  }

  /** Refuses what libpcap would ask the resolver about, and what our own words would mean in it. */
  #checkForLibpcap(first: number, last: number): void {
    for (let i = first; i <= last; i++) {
      const token = this.#reader.at(i);
      const known = token.kind !== 'scope' && (token.kind !== 'word' || isForLibpcap(token.text));
      if (!known) throw this.#reader.fault(token, 'a number, or a word of byte arithmetic');
    }
  }

  #toLibpcap(text: string, start: number): Foreign {
    if (text.length > FOREIGN_TEXT_MAX) this.#reader.fail(`a primitive of at most ${FOREIGN_TEXT_MAX} characters`);
    const foreign: Foreign = { kind: 'foreign', text, column: start + 1 };
    this.#foreign.push(foreign);
    return foreign;
  }
}

const lengthConditions: Readonly<Record<string, (bytes: number) => Condition>> = {
  '<': (bytes) => signed(lengthAtLeast(bytes), true),
  '<=': lengthAtMost,
  '>': (bytes) => signed(lengthAtMost(bytes), true),
  '>=': lengthAtLeast,
  '=': (bytes) => all(lengthAtLeast(bytes), lengthAtMost(bytes)),
  '==': (bytes) => all(lengthAtLeast(bytes), lengthAtMost(bytes)),
  '!=': (bytes) => any(signed(lengthAtLeast(bytes), true), signed(lengthAtMost(bytes), true)),
};

function qualifiersOf(
  scope: Scope,
  protocol?: string,
  direction: Direction = 'any',
  type: OperandType = 'host',
): Qualifiers {
  return { scope, protocol: protocol === 'link' ? 'ether' : protocol, direction, type };
}

function isEther(protocol: string): boolean {
  return protocol === 'ether' || protocol === 'link';
}

/** Has the protocol such operands? */
function fits({ protocol, type }: Qualifiers): boolean {
  if (protocol === undefined) return true;
  if (type === 'port' || type === 'portrange') return Object.hasOwn(portProtocols, protocol);
  if (type === 'proto') return protocol === 'ether' || protocol === 'ip' || protocol === 'ip6';
  if (protocol === 'ether') return type === 'host';
  return Object.hasOwn(etherTypes, protocol as AddressProtocol);
}

function isWordOfLanguage(text: string): boolean {
  return ownWords.includes(text) || libpcapWords.has(text) || Object.hasOwn(refusedPrimitives, text);
}

function isForLibpcap(text: string): boolean {
  if (ownWords.includes(text) || libpcapWords.has(text)) return true;
  return arithmeticName.test(text) || /^(?:0x[\da-f]+|[\d.]+|[\da-f]*(?::[\da-f]*)+)$/i.test(text);
}
