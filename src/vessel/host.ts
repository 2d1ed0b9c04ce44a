/** The host process: it stands outside the vessel, owns the run directory, and the cluster lives as long as it does. */

import { renameSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { ManifestText } from '../cluster/manifests.ts';
import type { Summary } from '../cluster/summary.ts';
import type { Topology } from '../cluster/topology.ts';
import { entrancesOf } from './entrances.ts';
import { explainVesselFailure } from './machine.ts';
import { identify, isAlive } from './process-identity.ts';
import { Refusal } from './refusal.ts';
import { claimDirectory, logPath, removeDirectory, writeState } from './run-directory.ts';
import type { Vessel } from './vessel.ts';

/** What the cluster process says on its status pipe, a line of JSON each. */
export type Status =
  | { readonly type: 'progress'; readonly step: string; readonly elapsedMs: number }
  | { readonly type: 'note'; readonly message: string }
  | { readonly type: 'ready'; readonly elapsedMs: number; readonly summary: Summary }
  | { readonly type: 'failed'; readonly message: string; readonly refusal: boolean };

export interface HostOptions {
  /** Started already, and waiting. */
  readonly vessel: Vessel;
  readonly topology: Topology;
  readonly manifests: readonly ManifestText[];
  /** Output of this process, when it has no terminal: kept in the run directory from the moment all is ready. */
  readonly logFile: string | undefined;
  /** Steps on the way; that all is ready, the promise tells. */
  readonly onStatus: (status: Status) => void;
}

/** Grace for the kernel after the vessel has ended. */
const END_TIMEOUT_MS = 2_000;

export class ClusterHost {
  readonly name: string;
  #summary: Summary | undefined;
  readonly #vessel: Vessel;
  #stopping = false;

  private constructor(name: string, vessel: Vessel) {
    this.name = name;
    this.#vessel = vessel;
  }

  /** Resolves when every pod is ready. Throws `Refusal` with what to do; nothing is left behind then. */
  static async start(options: HostOptions): Promise<ClusterHost> {
    const { vessel, topology, manifests } = options;
    const { name } = topology;
    const directory = claimDirectory(name);
    try {
      const host = new ClusterHost(name, vessel);
      vessel.begin({ directory, topology, manifests });
      host.#summary = await host.#untilReady(options.onStatus);
      if (options.logFile !== undefined) renameSync(options.logFile, logPath(name));
      return host;
    } catch (error) {
      removeDirectory(name);
      throw error;
    }
  }

  /** What there was when all was started. */
  get summary(): Summary {
    return this.#summary!;
  }

  /** Resolves with words when the cluster has ended, wanted or not. The run directory is the caller's to remove. */
  async ended(): Promise<{ readonly wanted: boolean; readonly how: string }> {
    const how = await this.#vessel.ended;
    return { wanted: this.#stopping, how };
  }

  /** Ends the cluster: everything in it is gone when this resolves. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const pidOne = this.#vessel.pidOne();
    // SIGKILL for pid 1: the kernel ends all of the vessel at once, also what is stopped or stuck.
    const entrances = pidOne === undefined ? [] : entrancesOf(pidOne.pid);
    if (pidOne !== undefined) kill(pidOne.pid);
    for (const pid of entrances) kill(pid);
    void this.#vessel.abandon();
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise((resolve) => {
      timer = setTimeout(resolve, END_TIMEOUT_MS);
    });
    await Promise.race([this.#vessel.ended, timeout]);
    clearTimeout(timer);
    removeDirectory(this.name);
  }

  async #untilReady(onStatus: (status: Status) => void): Promise<Summary> {
    const lines = createInterface({ input: this.#vessel.status });
    const ready = new Promise<Summary>((resolve, reject) => {
      lines.on('line', (line) => {
        const status = JSON.parse(line) as Status;
        if (status.type === 'failed') {
          reject(status.refusal ? new Refusal(status.message) : Object.assign(new Error(), { stack: status.message }));
          return;
        }
        if (status.type === 'progress' && status.step === 'vessel') this.#writeState();
        if (status.type === 'ready') resolve(status.summary);
        else onStatus(status);
      });
    });
    let inside = false;
    lines.once('line', () => {
      inside = true;
    });
    const early = this.#vessel.ended.then((how): never => {
      throw inside ? new Error(`the cluster process ended while starting (${how})`) : explainVesselFailure(how);
    });
    early.catch(() => {}); // once all is ready, `ended` tells
    try {
      return await Promise.race([ready, early]);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  #writeState(): void {
    const vessel = this.#vessel.pidOne();
    const host = identify(process.pid);
    if (vessel === undefined || host === undefined || !isAlive(vessel)) return;
    writeState(this.name, { name: this.name, host, vessel, userNamespace: this.#vessel.userNamespace });
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // gone already
  }
}
