/** Services for tests: as a node is told of them (`tablesOf`), or in words of the tables (`servicesOf`). */
import { Drop } from '../../src/packet/outcome.ts';
import { Affinity } from '../../src/service/affinity.ts';
import { buildServiceTable, type PortTable, packPort } from '../../src/service/build-service-table.ts';
import { ServiceCompiler } from '../../src/service/service-compiler.ts';
import type { ServiceSpec } from '../../src/service/service-spec.ts';
import { keyHasher, Masquerade, type ServiceTableData } from '../../src/service/service-table.ts';
import { Services } from '../../src/service/services.ts';

interface TestBackend {
  /** Four words. */
  readonly address: Int32Array;
  readonly port: number;
}

export interface TestFrontend extends TestBackend {
  /** As the flow key's protocol word: any protocol, also such as Services never have. */
  readonly protocolWord: number;
  readonly backends: readonly TestBackend[];
}

/** Cluster IPs, every one with its own backends. */
export function servicesOf(frontends: readonly TestFrontend[], seed: number): Services {
  const hasher = keyHasher(seed);
  const blocks = frontends.map((frontend) => packPort(portOf(frontend), hasher));
  return new Services(buildServiceTable(blocks, [], seed), new Affinity(seed));
}

function portOf({ address, port, protocolWord, backends }: TestFrontend): PortTable {
  const words = backends.flatMap((backend) => [...backend.address, backend.port]);
  const masquerade = Masquerade.Host | Masquerade.Outside;
  return {
    protocolWord,
    frontends: [{ address, port, cluster: true, masquerade, inside: 0, outside: 0, serving: 0 }],
    lists: [{ backends: Int32Array.from(words), whenEmpty: Drop.NoEndpoints, group: 0, affinityMs: 0 }],
  };
}

/** The tables of a node that knows nothing else. */
export function tablesOf(set: readonly ServiceSpec[], networks: readonly string[] = []): ServiceTableData {
  return new ServiceCompiler(5).compile({ set, remove: [], networks });
}
