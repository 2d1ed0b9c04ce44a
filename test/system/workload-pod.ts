import { execFile } from 'node:child_process';
import { Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { createPodNetwork } from '../../src/cluster/pod-network.ts';
import type { WorkloadPort, WorkloadSpec } from '../../src/nodes/protocol.ts';
import { beginConnecting } from '../../src/sys/connect.ts';
import { close } from '../../src/sys/io.ts';
import { inNamespace } from '../../src/sys/namespace.ts';

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A pod's network without a node behind it: what is inside reaches itself. */
export class TestPod {
  readonly network: number;
  readonly path: string;
  readonly spec: WorkloadSpec;

  constructor(name: string, addresses: readonly string[], ports: readonly WorkloadPort[]) {
    this.network = createPodNetwork({ mac: '0a:58:0a:f4:00:02', addresses, mtu: 1450, gsoMaxSize: 65_536 });
    this.path = `/proc/${process.pid}/fd/${this.network}`;
    const place = { namespace: 'default', node: 'n1', namespacePath: this.path };
    this.spec = {
      ...place,
      uid: `uid of ${name}`,
      name,
      hostname: name,
      addresses,
      ports,
      answers: 'http',
      ready: true,
      probes: [],
      notes: [],
    };
    onTestFinished(() => void close(this.network));
  }

  /** Runs a program inside; it is this process that answers it, so it may not wait. */
  run(...command: string[]): Promise<Ran> {
    return new Promise((resolve) => {
      const options = { timeout: 10_000 };
      execFile('nsenter', [`--net=${this.path}`, '--', ...command], options, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
      });
    });
  }

  curl(...args: string[]): Promise<Ran> {
    return this.run('curl', '--silent', '--show-error', '--globoff', ...args);
  }

  /** A connection from inside. */
  connect(address: string, port: number): Connection {
    return new Connection(inNamespace(this.network, 'net', () => beginConnecting(address, port)));
  }
}

export class Connection {
  readonly socket: Socket;
  readonly closed: Promise<void>;
  received = '';
  /** `FIN`, `ECONNRESET`, `ECONNREFUSED`; empty while it is open. */
  end = '';

  constructor(fd: number) {
    this.socket = new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
    this.socket.on('data', (bytes: Buffer) => {
      this.received += bytes.toString('latin1');
    });
    this.socket.on('end', () => {
      this.end ||= 'FIN';
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.end = error.code ?? 'error';
    });
    this.closed = new Promise((resolve) => void this.socket.on('close', () => resolve()));
    onTestFinished(() => void this.socket.destroy());
  }

  write(text: string): this {
    this.socket.write(text, 'latin1');
    return this;
  }
}

export const tcp = (port: number): WorkloadPort => ({ port, protocol: 'TCP' });
export const udp = (port: number): WorkloadPort => ({ port, protocol: 'UDP' });
