/** What is used here of node-pcap-writer 1.0.0, which has no types. */
declare module 'node-pcap-writer' {
  import type { WriteStream } from 'node:fs';

  class PcapWriter {
    /** Not documented; the only way to learn of errors and of the queue. */
    readonly _fs: WriteStream;
    /** Creates the file, and writes its header. */
    constructor(file: string, snapLen: number, linkType: number);
    /** @param timeUs since 1970; 0 means now. */
    writePacket(packet: Uint8Array, timeUs: number): void;
    close(): void;
  }
  export = PcapWriter;
}

declare module 'node-pcap-writer/lib/header/packethdr.js' {
  class PacketHeader {
    constructor(fields: { tv_sec: number; tv_usec: number; caplen: number; len: number });
    /** In hexadecimal digits. */
    toString(): string;
  }
  export = PacketHeader;
}
