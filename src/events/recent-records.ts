import type { FlowRecord } from './flow-record.ts';

/** The first or the last ones of a row of records, in their order. */
export class RecentRecords {
  readonly #count: number;
  readonly #end: 'first' | 'last';
  #records: FlowRecord[] = [];

  /** @param count Infinity for all. */
  constructor(count: number, end: 'first' | 'last') {
    this.#count = count;
    this.#end = end;
  }

  add(record: FlowRecord): void {
    if (this.#end === 'first' && this.#records.length >= this.#count) return;
    this.#records.push(record);
    // Now and then, not each time: what is in front of an array is costly to remove.
    if (this.#records.length > 2 * this.#count + SLACK) this.#records = this.#lastOnes();
  }

  /** Hands them over; there are none then. */
  take(): FlowRecord[] {
    const records = this.#lastOnes();
    this.#records = [];
    return records;
  }

  #lastOnes(): FlowRecord[] {
    return this.#records.slice(Math.max(0, this.#records.length - this.#count));
  }
}

const SLACK = 1000;
