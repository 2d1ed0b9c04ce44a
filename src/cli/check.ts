/** Manifests and expectations: what packets say of them. For people at work, and for CI. */
import { ask, CAPTURES_MAX, type CheckBackend } from '../check/ask.ts';
import { CaptureFolder } from '../check/captures.ts';
import { doubts, type Judgement, type Report, summaryOf } from '../check/report.ts';
import { type ManifestText, readManifests } from '../cluster/manifests.ts';
import { formatProblem, printable } from '../cluster/source.ts';
import { dnsLabel } from '../cluster/text-rule.ts';
import { Refusal } from '../vessel/refusal.ts';
import { readArguments, readCount, UsageError } from './arguments.ts';
import { readInputs } from './check-inputs.ts';
import { checkFormats, checkOutputs } from './check-output.ts';
import { say } from './output.ts';

export const usage = `Usage: podwire check PATH... --expect FILE [flags]

Do the policies of manifests let through what they should, and nothing else? A cluster is made of the manifests, every
expected connection is tried with packets, and what differs is explained. Needs no running cluster.

    podwire check policies/ --expect expectations.yaml

  PATH                   manifests: files, folders, or - for standard input
  -f, --filename PATH    the same as PATH
      --expect FILE      expectations, or a NetAssert file; may be repeated
  -n, --namespace NAME   of endpoints in expectations that name none (default: default)
  -o, --output FORMAT    table, json, junit, tap, markdown (default: table)
      --backend NAME     sim: in this process, needs no rights (default); linux: real nodes, real TCP and UDP
      --captures DIR     one pcapng of each connection that is not as expected; none for none (default: podwire-check);
                         those of an earlier check that are in DIR (001-…-to-….pcapng) are removed first
      --nodes N          how many nodes (default: what the Cluster document says, else 1)
      --seed N           of ports and hash tables, with sim (default: 1)
      --allow-run        with linux: let pods with the annotation podwire.dev/run start programs, as you

Expectations:

    default: deny             # all pairs of pods that no entry names, on every port that a pod declares;
                              # allow, deny or ignore (default)
    allow:
      - {from: shop/web-1, to: svc/shop/api, port: 80}
      - from: {namespace: shop, podSelector: {app: api}}      # every pod that matches
        to: {namespace: shop, podSelector: {app: db}}
        port: postgres                                        # left out: every port that it declares
        protocol: TCP                                         # TCP (default), UDP, SCTP, ICMP
    deny:
      - {from: deploy/shop/web, to: {ip: 10.0.0.7}, port: 443}

from and to are [NAMESPACE/]POD, KIND/NAME, svc/[NAMESPACE/]NAME, node/NAME, an IP, or pods by their labels. A bare
name is a pod or a workload's first Ready pod; as a destination with a port, first of all a Service of that name that has
the port. An address outside the cluster's networks counts as reached when no policy stops the packet; an address of
them that nobody has is an error. A connection that the far end refuses, as nothing listens, is neither allowed nor
denied: such a test could not fail.

Exit status: 0 all as expected, 1 a difference, 2 wrong usage or input.
`;

const options = {
  filename: { type: 'string', short: 'f', multiple: true, default: [] as string[] },
  expect: { type: 'string', multiple: true, default: [] as string[] },
  namespace: { type: 'string', short: 'n', default: 'default' },
  output: { type: 'string', short: 'o', default: 'table' },
  backend: { type: 'string', default: 'sim' },
  captures: { type: 'string', default: 'podwire-check' },
  nodes: { type: 'string' },
  seed: { type: 'string' },
  'allow-run': { type: 'boolean', default: false },
} as const;

type Values = ReturnType<typeof readArguments<typeof options>>['values'];

/** Of one kind. */
const DOUBTS_MAX = 5;

export async function run(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readArguments(argv, options, usage);
  const format = checkFormats.find((one) => one === values.output);
  if (format === undefined)
    throw new UsageError(`-o takes ${checkFormats.join(', ')}, found "${values.output}"`, usage);
  if (!dnsLabel.holds(values.namespace)) {
    throw new UsageError(`-n takes a namespace, found "${printable(values.namespace)}"`, usage);
  }
  const start = backendOf(values);
  const { expect, namespace } = values;
  const nodes = readCount(values.nodes, '--nodes', usage);
  const paths = [...positionals, ...values.filename];
  const { manifests, expectations } = await readInputs({ paths, expect, namespace, nodes }, usage);
  const backend = await start(manifests);
  let folder: CaptureFolder | undefined;
  const leave = () => folder?.close();
  process.once('exit', leave); // whoever is interrupted finds no empty folder either
  let judgement: Judgement;
  try {
    folder = values.captures === 'none' ? undefined : openFolder(values.captures);
    judgement = await ask(backend, expectations, folder?.path);
  } finally {
    process.off('exit', leave);
    leave();
    await backend.close();
  }
  const report: Report = { ...judgement, elapsedMs: performance.now() }; // since this process began
  await say(await checkOutputs[format](report));
  tell(report);
  return report.failed.length === 0 ? 0 : 1;
}

/** What starts the backend; flags are judged before anything is read. */
function backendOf(values: Values): (texts: readonly ManifestText[]) => Promise<CheckBackend> {
  const nodes = readCount(values.nodes, '--nodes', usage);
  const seed = readCount(values.seed, '--seed', usage);
  switch (values.backend) {
    case 'sim':
      return async (texts) => {
        const manifests = readManifests(texts);
        for (const note of manifests.notes) line(formatProblem(note));
        const { startSimBackend } = await import('../check/sim-backend.ts');
        return startSimBackend({ manifests, nodes, seed, note: line });
      };
    case 'linux':
      return async (texts) => {
        const { startLinuxBackend } = await import('../check/linux-backend.ts');
        return startLinuxBackend(texts, { nodes: values.nodes, allowRun: values['allow-run'], usage, note: line });
      };
    case 'embedded':
      throw new Refusal('podwire check: the backend embedded is not there yet; sim needs no rights either');
    default:
      throw new UsageError(`--backend takes sim or linux, found "${values.backend}"`, usage);
  }
}

function openFolder(path: string): CaptureFolder {
  try {
    return new CaptureFolder(path);
  } catch (error) {
    throw new Refusal(`--captures ${path}: ${(error as Error).message}; \`--captures none\` does without`);
  }
}

function line(message: string): void {
  process.stderr.write(`${message}\n`);
}

function tell(report: Report): void {
  const { backend, elapsedMs, failed, notes } = report;
  for (const note of notes) line(printable(note));
  const doubtful = doubts(report);
  for (const doubt of doubtful.slice(0, DOUBTS_MAX)) line(`note: ${printable(doubt)}`);
  if (doubtful.length > DOUBTS_MAX) line(`note: and ${doubtful.length - DOUBTS_MAX} more of this kind`);
  const failures = failed.flatMap(({ captureFailure }) => captureFailure ?? []);
  if (failures[0] !== undefined) {
    line(`note: packets of ${failures.length} of the differences could not be kept: ${printable(failures[0])}`);
  }
  if (failed.some(({ capture }) => capture !== undefined) && failed.length > CAPTURES_MAX) {
    line(`packets of the first ${CAPTURES_MAX} differences were captured`);
  }
  line(`${summaryOf(report)} (${backend}, ${(elapsedMs / 1000).toFixed(1)} s)`);
}
