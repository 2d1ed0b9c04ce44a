/** Manifests of clusters with Services, and questions to them. */
import { expect } from 'vitest';
import type { CommandResult, TestCluster } from '../support/cluster.ts';
import { program } from './programs.ts';

export function deployment(name: string, replicas: number, ports = '[{name: http, containerPort: 8080}]'): string {
  return `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec: {containers: [{name: main, image: none, ports: ${ports}}]}
`;
}

export function service(name: string, spec: string, selector = name): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {selector: {app: ${selector}}, ${spec}}\n`;
}

export function pod(name: string, node: string, labels = '{}', containers = '[{name: main, image: none}]'): string {
  const metadata = `{name: ${name}, labels: ${labels}}`;
  return `apiVersion: v1\nkind: Pod\nmetadata: ${metadata}\nspec: {nodeName: ${node}, containers: ${containers}}\n`;
}

export function documents(...texts: readonly string[]): string {
  return texts.join('---\n');
}

interface PodItem {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec: { readonly nodeName: string };
  readonly status: { readonly podIP: string };
}

/** Pods with this label `app`. */
export async function podsOf(cluster: TestCluster, app: string): Promise<PodItem[]> {
  return (await cluster.get<PodItem>('pods')).filter(({ metadata }) => metadata.labels?.['app'] === app);
}

/** `curl` in a pod or on a node, with three seconds' patience. */
export function curl(cluster: TestCluster, from: string, url: string, ...flags: string[]): Promise<CommandResult> {
  return cluster.exec(from, ['curl', '-sS', '-m', '3', ...flags, url]);
}

/** Who answered so many connections, and how often. */
export async function hostnames(cluster: TestCluster, from: string, address: string, port: number, count: number) {
  const words = [...program('hostnames'), address, String(port), String(count)];
  const { code, stdout, stderr } = await cluster.exec(from, words);
  expect(code, stderr).toBe(0);
  return JSON.parse(stdout) as { answers: Record<string, number>; failures: number };
}

export async function apply(cluster: TestCluster, ...texts: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.run(['apply', '-f', '-', '--name', cluster.name], {
    stdin: documents(...texts),
  });
  expect(code, stderr).toBe(0);
  return stdout;
}
