/** Writes flow records in the format that was asked for. */
import type { FlowRecord } from '../events/flow-record.ts';
import {
  compactLine,
  DICT_SEPARATOR,
  dictBlock,
  type FlowEvent,
  flowCells,
  flowEvent,
  harmlessJson,
  type TextOptions,
} from '../events/flow-text.ts';
import { formatTable } from './table.ts';

/** `json` and `table` are written at the end, all at once. */
export type FlowFormat = 'compact' | 'dict' | 'table' | 'json' | 'jsonl';

/** Names that hubble has too. */
const formats: Readonly<Record<string, FlowFormat>> = {
  compact: 'compact',
  dict: 'dict',
  table: 'table',
  tab: 'table',
  json: 'json',
  jsonl: 'jsonl',
  jsonpb: 'jsonl',
};

export function flowFormat(name: string): FlowFormat | undefined {
  return Object.hasOwn(formats, name) ? formats[name] : undefined;
}

export class FlowWriter {
  readonly #format: FlowFormat;
  readonly #options: TextOptions;
  readonly #put: (text: string) => void;
  readonly #events: FlowEvent[] = [];
  #text = '';
  #begun = false;

  /** @param put is given whole lines. */
  constructor(format: FlowFormat, options: TextOptions, put: (text: string) => void) {
    this.#format = format;
    this.#options = options;
    this.#put = put;
  }

  write(record: FlowRecord): void {
    switch (this.#format) {
      case 'compact':
        this.#text += `${compactLine(record, this.#options)}\n`;
        break;
      case 'dict':
        this.#text += (this.#begun ? DICT_SEPARATOR : '') + dictBlock(record, this.#options);
        break;
      case 'jsonl':
        this.#text += `${harmlessJson(flowEvent(record))}\n`;
        break;
      default:
        this.#events.push(flowEvent(record));
    }
    this.#begun = true;
  }

  /** What has been written so far, all in one. */
  flush(): void {
    if (this.#text !== '') this.#put(this.#text);
    this.#text = '';
  }

  /** There is nothing more. */
  end(): void {
    if (this.#format === 'json') this.#text += `${harmlessJson({ items: this.#events }, 2)}\n`;
    if (this.#format === 'table') this.#text += this.#table();
    this.flush();
  }

  #table(): string {
    const rows = this.#events.map(({ flow }) => flowCells(flow, this.#options));
    const titles = rows[0]?.map(([title]) => title);
    if (titles === undefined) return '';
    return formatTable([titles, ...rows.map((row) => row.map(([, value]) => value))]);
  }
}
