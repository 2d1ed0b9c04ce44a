import type { SimRoom } from '../../src/sim/sim-node.ts';

/** Simulated nodes with room for what a test sends: tables are cleared for every node that is made. */
export const smallRoom: SimRoom = { connections: 4096, affinity: 256, linkBytes: 8 << 20, reassembly: 64 };
