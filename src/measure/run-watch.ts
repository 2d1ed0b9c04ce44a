/** Watches a running cluster's machine during a measurement: whose CPU time it took, and what nodes did with theirs. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from '../api/client.ts';
import type { NodeActivity } from '../nodes/protocol.ts';
import { Refusal } from '../vessel/refusal.ts';
import type { ParticipantUse } from './limit.ts';
import { type Losses, type LossLook, lookAtLosses, lossesBetween } from './losses.ts';
import { type MachineLook, type MachineUse, machineUse } from './machine-use.ts';
import type { PodPlace, PodProgram, PodPrograms } from './pod-program.ts';
import { type ProcessTimes, readAllProcesses, readMachineTimes, readProcessTimes } from './proc-stat.ts';
import { seesEveryProcess, threadOutside, VesselProcesses } from './vessel-processes.ts';

/** How long nodes sample for one request; the end of a measurement waits for the last one. */
const SAMPLE_MS = 250;

/** A node's dataplane thread, as this process sees it. */
export interface NodeThread {
  readonly node: string;
  readonly process: number;
  readonly thread: number;
}

export interface RunUse {
  readonly machine: MachineUse;
  /** Client, nodes in the order of the path, servers. */
  readonly participants: readonly ParticipantUse[];
  readonly losses: Losses;
}

/** What every measurement between pods has. */
export interface PodRun {
  readonly programs: PodPrograms;
  readonly watch: ClusterWatch;
  readonly threads: readonly NodeThread[];
  readonly client: PodPlace;
  /** One, or every backend of a Service. */
  readonly servers: readonly PodProgram[];
  /** What the client is told. */
  readonly address: string;
  readonly port: number;
  readonly seconds: number;
}

export class ClusterWatch {
  /** Nodes need not tell any more. */
  ended = false;
  readonly #client: ApiClient;
  readonly #vessel: VesselProcesses;
  readonly #complete = seesEveryProcess();
  /** The processes of the command line and of the cluster that are outside the vessel. */
  readonly #outside: ReadonlySet<number>;

  /** @param vessel pid 1 of the cluster's namespaces, and @param host the process that holds them, as seen from here. */
  constructor(client: ApiClient, vessel: number, host: number) {
    this.#client = client;
    this.#vessel = new VesselProcesses(vessel);
    this.#outside = new Set([process.pid, host]);
  }

  look(): MachineLook {
    return { times: readMachineTimes(), processes: readAllProcesses(), atMs: performance.now() };
  }

  between(before: MachineLook, after: MachineLook): MachineUse {
    return machineUse(before, after, (process) => this.#isOurs(process), this.#complete);
  }

  /** What the machine does while nothing is measured. */
  async rest(ms: number): Promise<MachineUse> {
    const before = this.look();
    await sleep(ms);
    return this.between(before, this.look());
  }

  activity(node: string, milliseconds: number): Promise<NodeActivity> {
    return this.#client.get(
      `/apis/podwire.dev/v1/nodes/${encodeURIComponent(node)}/activity?milliseconds=${milliseconds}`,
    );
  }

  losses(client: PodPlace, threads: readonly NodeThread[]): Promise<LossLook> {
    return lookAtLosses(this.#client, client, threads);
  }

  /** Undefined where processes cannot be told apart, or the node is just being restarted. */
  async threadOf(node: string): Promise<NodeThread | undefined> {
    const { processId, threadId } = await this.activity(node, 0);
    const process = this.#vessel.processOutside(processId);
    const thread = process === undefined ? undefined : threadOutside(process, threadId);
    return process === undefined || thread === undefined ? undefined : { node, process, thread };
  }

  #isOurs(process: ProcessTimes): boolean {
    return this.#outside.has(process.id) || this.#outside.has(process.parent) || this.#vessel.has(process);
  }
}

/** One measurement, from its first packet to its last. */
export class RunWatch {
  readonly client: PodProgram;
  readonly #run: PodRun;
  readonly #watch: ClusterWatch;
  readonly #threads: readonly NodeThread[];
  readonly #servers: readonly PodProgram[];
  readonly #lossesBefore: LossLook;
  readonly #before: MachineLook;
  readonly #cpuBefore: ReadonlyMap<object, number>;
  readonly #samples: Promise<ReadonlyMap<string, readonly number[]>>;
  #lap: MachineLook;
  #ended = false;

  private constructor(run: PodRun, client: PodProgram, losses: LossLook) {
    this.#run = run;
    this.#watch = run.watch;
    this.#threads = run.threads;
    this.client = client;
    this.#servers = run.servers;
    this.#lossesBefore = losses;
    this.#samples = this.#sample();
    this.#cpuBefore = this.#each();
    this.#before = run.watch.look();
    this.#lap = this.#before;
  }

  /** @param client starts it, or hands out the one that runs: what is read beforehand takes a while. */
  static async begin(run: PodRun, client: () => PodProgram): Promise<RunWatch> {
    const losses = await lossesOf(run);
    return new RunWatch(run, client(), losses);
  }

  /** Of the machine since the last lap. */
  lap(): MachineUse {
    const now = this.#watch.look();
    const use = this.#watch.between(this.#lap, now);
    this.#lap = now;
    return use;
  }

  /**
   * @param clientSeconds CPU time of a client that has ended by itself.
   * @throws Refusal when a node or a server has ended meanwhile: then the figures are of something else.
   */
  async end(clientSeconds?: number): Promise<RunUse> {
    const cpuAfter = this.#each();
    const machine = this.#watch.between(this.#before, this.#watch.look());
    this.#ended = true;
    const samples = await this.#samples;
    this.#refuseEnded();
    const losses = lossesBetween(this.#lossesBefore, await lossesOf(this.#run));
    const used = (who: object) => Math.max(0, (cpuAfter.get(who) ?? 0) - (this.#cpuBefore.get(who) ?? 0));
    const use = (name: string, cpuSeconds: number): ParticipantUse => {
      return { name, cpuSeconds, coreShare: machine.seconds > 0 ? cpuSeconds / machine.seconds : 0 };
    };
    const nodes = this.#threads.map((thread) => {
      const seen = samples.get(thread.node);
      return { ...use(thread.node, used(thread)), ...(seen !== undefined && { samples: seen }) };
    });
    const client = use(this.client.name, clientSeconds ?? used(this.client));
    const servers = this.#servers.map((server) => use(server.name, used(server)));
    return { machine, participants: [client, ...nodes, ...servers], losses };
  }

  #refuseEnded(): void {
    const node = this.#threads.find(({ process, thread }) => readProcessTimes(process, thread) === undefined);
    if (node !== undefined) throw new Refusal(`node ${node.node} has ended during the measurement`);
    const server = this.#servers.find(({ hasEnded }) => hasEnded);
    if (server !== undefined) throw server.failure();
  }

  /** CPU seconds of each participant so far, as long as it is there. */
  #each(): Map<object, number> {
    const programs = [this.client, ...this.#servers].map((program) => [program, program.times()?.own] as const);
    const threads = this.#threads.map((one) => [one, readProcessTimes(one.process, one.thread)?.own] as const);
    return new Map([...programs, ...threads].flatMap(([who, cpu]) => (cpu === undefined ? [] : [[who, cpu] as const])));
  }

  async #sample(): Promise<ReadonlyMap<string, readonly number[]>> {
    const seen = new Map<string, number[]>();
    const one = async ({ node }: NodeThread) => {
      while (!this.#ended && !this.#watch.ended) {
        const { samples } = await this.#watch.activity(node, SAMPLE_MS);
        const before = seen.get(node);
        seen.set(node, before === undefined ? [...samples] : before.map((count, i) => count + samples[i]!));
      }
    };
    // Without a node's answer its part stays unnamed; what it carries is measured all the same.
    await Promise.allSettled(this.#threads.map(one));
    return seen;
  }
}

export function lossesOf({ watch, client, threads }: PodRun): Promise<LossLook> {
  return watch.losses(client, threads);
}
