import { readdirSync, readFileSync } from 'node:fs';
import { readScenario, type Scenario } from './scenario.ts';

const folder = new URL('./', import.meta.url);

export const flowFiles: readonly string[] = readdirSync(folder)
  .filter((name) => name.endsWith('.flow'))
  .sort();

export function loadScenario(file: string): Scenario {
  return readScenario(`test/flows/${file}`, readFileSync(new URL(file, folder), 'utf8'));
}
