/** The first four bytes of TCP, UDP and SCTP are alike: source port, destination port. */
const SOURCE = 0;
const DESTINATION = 2;

export function sourcePort(view: DataView, at: number): number {
  return view.getUint16(at + SOURCE);
}

export function destinationPort(view: DataView, at: number): number {
  return view.getUint16(at + DESTINATION);
}

/** Both ports in one word, source in the high half, as a signed integer. */
export function bothPorts(view: DataView, at: number): number {
  return view.getInt32(at);
}

export function setBothPorts(view: DataView, at: number, ports: number): void {
  view.setInt32(at, ports);
}
