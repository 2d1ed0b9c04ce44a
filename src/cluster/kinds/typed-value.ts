/**
 * SourceNode → JSON, checked by the API's field tables as a strict API server does (`fieldValidation=Strict`): every
 * field name, and of every value whether it is a string, a number, a list… What values mean is the kinds' matter.
 *
 * Go decodes `null` and an empty optional string to the same as nothing, so both are left out of the JSON.
 */
import { described, shown, suggestion } from '../field.ts';
import type { Place, ProblemLog } from '../source.ts';
import { childPath, fieldPlace, type SourceNode } from '../source-tree.ts';
import type { ApiType, ObjectType } from './api-type.ts';

export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

export interface TypedValue {
  /** Without what was refused. */
  readonly value: JsonObject;
  /** The paths of what was refused. */
  readonly faults: readonly string[];
}

/** apimachinery, pkg/api/resource/quantity.go: `<signedNumber><suffix>`. */
const QUANTITY = /^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]+)?$/;

/** RFC 3339, as Go's time.Time reads it. */
const TIME = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})$/;

const expected: Readonly<Record<ApiType['form'], string>> = {
  string: 'a string',
  integer: 'a whole number',
  boolean: 'true or false',
  IntOrString: 'a whole number or a string',
  Quantity: 'a quantity, such as 100m or 1.5Gi',
  Time: 'a time as in RFC 3339, such as 2025-01-31T12:00:00Z',
  list: 'a list; start each entry with "- "',
  map: 'a map: key: value',
  object: 'a map: key: value',
  any: 'a value',
};

export function readTyped(document: SourceNode, type: ObjectType, log: ProblemLog): TypedValue {
  const reader = new TypedReader(log);
  const value = reader.value(document, document.place, type) as JsonObject | undefined;
  return { value: value ?? {}, faults: reader.faults };
}

class TypedReader {
  readonly faults: string[] = [];
  readonly #log: ProblemLog;
  readonly #path: (string | number)[] = [];

  constructor(log: ProblemLog) {
    this.#log = log;
  }

  /** @param key where the value's key stands; undefined is what was refused */
  value(node: SourceNode, key: Place, type: ApiType): Json | undefined {
    const { form } = type;
    if (form === 'object' && node.type === 'map') return this.#object(node, type);
    if (form === 'list' && node.type === 'list') return this.#list(node.items, type.item);
    if (form === 'map' && node.type === 'map') return this.#map(node, type.value);
    if (form === 'any') return anyJson(node);
    const value = node.type === 'scalar' ? leaf(form, node.value) : undefined;
    if (value === undefined) this.#refuse(node, key, form);
    return value;
  }

  #object(node: SourceNode & { type: 'map' }, type: ObjectType): JsonObject {
    const object: JsonObject = {};
    for (const [name, { key, node: child }] of node.fields) {
      const field = type.fields.get(name);
      if (field === undefined) {
        this.#refuseName(name, key, type);
        continue;
      }
      if (child.type === 'scalar' && (child.value === null || (child.value === '' && field.isOptional))) continue;
      this.#path.push(name);
      const value = this.value(child, key, field.type);
      this.#path.pop();
      if (value !== undefined) object[name] = value;
    }
    return object;
  }

  #list(items: readonly SourceNode[], type: ApiType): Json[] {
    const list: Json[] = [];
    for (let i = 0; i < items.length; i++) {
      this.#path.push(i);
      const value = this.value(items[i]!, items[i]!.place, type);
      this.#path.pop();
      // What was refused keeps its place, so that the paths of those after it are right.
      list.push(value ?? nothing(type.form));
    }
    return list;
  }

  #map(node: SourceNode & { type: 'map' }, type: ApiType): JsonObject {
    const map: JsonObject = {};
    for (const [name, { key, node: child }] of node.fields) {
      const isNothing = child.type === 'scalar' && child.value === null;
      this.#path.push(name);
      const value = isNothing && type.form === 'string' ? '' : this.value(child, key, type);
      this.#path.pop();
      if (value !== undefined) setKey(map, name, value);
    }
    return map;
  }

  #pathText(): string {
    return this.#path.reduce<string>(childPath, '');
  }

  #refuse(node: SourceNode, key: Place, form: ApiType['form']): void {
    const path = this.#pathText();
    this.faults.push(path);
    const message = `found ${described(node)}, expected ${expected[form]}${remedyFor(node, form)}`;
    this.#log.error(fieldPlace(key, node), path, message);
  }

  #refuseName(name: string, key: Place, type: ObjectType): void {
    const path = childPath(this.#pathText(), name);
    this.faults.push(path);
    const remedy = this.#log.isFull ? '' : suggestion(name, [...type.fields.keys()]);
    this.#log.error(key, path, `unknown field ${shown(name)}${remedy}`);
  }
}

function leaf(form: ApiType['form'], value: null | boolean | number | string): Json | undefined {
  const isString = typeof value === 'string';
  const isInteger = typeof value === 'number' && Number.isSafeInteger(value);
  switch (form) {
    case 'string':
      return isString ? value : undefined;
    case 'integer':
      return isInteger ? value : undefined;
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined;
    case 'IntOrString':
      return isString || isInteger ? value : undefined;
    case 'Quantity':
      return (isString || typeof value === 'number') && QUANTITY.test(String(value)) ? String(value) : undefined;
    case 'Time':
      return isString && TIME.test(value) ? value : undefined;
    default:
      return undefined;
  }
}

/** A value of the form that breaks no reader. */
function nothing(form: ApiType['form']): Json {
  if (form === 'object' || form === 'map') return {};
  if (form === 'list') return [];
  if (form === 'integer') return 0;
  return form === 'boolean' ? false : '';
}

function remedyFor(node: SourceNode, form: ApiType['form']): string {
  if (node.type !== 'scalar' || node.value === null) return '';
  if (form === 'string' && typeof node.value !== 'string') return `; quote it: ${shown(node.text)}`;
  const isUnquotedOther = form === 'integer' ? /^-?[0-9]+$/ : form === 'boolean' ? /^(true|false)$/ : /^(?!)/;
  return typeof node.value === 'string' && isUnquotedOther.test(node.value) ? '; remove the quotes' : '';
}

/** A key such as `__proto__` is a key. */
function setKey(map: JsonObject, key: string, value: Json): void {
  if (key !== '__proto__') map[key] = value;
  else Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
}

function anyJson(node: SourceNode): Json {
  if (node.type === 'scalar') return finite(node.value);
  if (node.type === 'list') return node.items.map(anyJson);
  const map: JsonObject = {};
  for (const [key, field] of node.fields) setKey(map, key, anyJson(field.node));
  return map;
}

/** JSON has no NaN and no infinity. */
function finite(value: null | boolean | number | string): Json {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
