/** The tables of api-fields.ts as types to read a document by. */
import { apiFields, apiKinds } from '../api-fields.ts';

/** What a value may be. 'IntOrString' and 'Quantity' take a number or a string, 'any' takes what comes. */
type Leaf = 'string' | 'integer' | 'boolean' | 'IntOrString' | 'Quantity' | 'Time' | 'any';

export type ApiType =
  | { readonly form: Leaf }
  | { readonly form: 'list'; readonly item: ApiType }
  | { readonly form: 'map'; readonly value: ApiType }
  | ObjectType;

export interface ObjectType {
  readonly form: 'object';
  readonly fields: ReadonlyMap<string, ApiField>;
}

export interface ApiField {
  readonly type: ApiType;
  readonly isOptional: boolean;
}

/** Types that lead to each other are made before their fields are. */
class TypeTable {
  readonly #lines = new Map<string, readonly string[]>();
  readonly #types = new Map<string, ApiType>();

  constructor(text: string) {
    for (const line of text.trim().split('\n')) {
      const [name, ...fields] = line.split(' ');
      this.#lines.set(name!, fields);
    }
  }

  /** @param text as in the table: 'Container[]', 'string{}', 'apps.DeploymentSpec' */
  type(text: string): ApiType {
    const known = this.#types.get(text);
    if (known !== undefined) return known;
    const inner = text.slice(0, -2);
    const fields = this.#lines.get(text);
    if (fields !== undefined) return this.#object(text, fields);
    let type: ApiType = { form: text as Leaf };
    if (text.endsWith('[]')) type = { form: 'list', item: this.type(inner) };
    else if (text.endsWith('{}')) type = { form: 'map', value: this.type(inner) };
    this.#types.set(text, type);
    return type;
  }

  #object(name: string, texts: readonly string[]): ObjectType {
    const fields = new Map<string, ApiField>();
    const type: ObjectType = { form: 'object', fields };
    this.#types.set(name, type);
    for (const text of texts) {
      const [key, valueType] = text.split(':') as [string, string];
      const isOptional = key.endsWith('?');
      fields.set(isOptional ? key.slice(0, -1) : key, { type: this.type(valueType), isOptional });
    }
    return type;
  }
}

const table = new TypeTable(apiFields);

/** The type of a kind's documents. Pre: the kind is one of the roots in scripts/build-api-fields.ts. */
export function documentType(apiVersion: string, kind: string): ObjectType {
  const group = apiVersion.includes('/') ? `${apiVersion.slice(0, apiVersion.search(/[./]/))}.` : '';
  return table.type(`${group}${kind}`) as ObjectType;
}

/** Names of the fields of every object's metadata. */
export const metadataFields: readonly string[] = [...(table.type('ObjectMeta') as ObjectType).fields.keys()];

/** apiVersion → its kinds, for all groups that Kubernetes has built in. */
export const builtInKinds: ReadonlyMap<string, readonly string[]> = new Map(
  apiKinds
    .trim()
    .split('\n')
    .map((line) => {
      const [apiVersion, ...kinds] = line.split(' ');
      return [apiVersion!, kinds];
    }),
);
