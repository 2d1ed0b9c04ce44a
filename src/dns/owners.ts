/** Who has what: several owners may have the same, such as two services one endpoint. */
export class Owners<T> {
  readonly #owners = new Map<string, Set<T>>();

  add(key: string, owner: T): void {
    const owners = this.#owners.get(key);
    if (owners === undefined) this.#owners.set(key, new Set([owner]));
    else owners.add(owner);
  }

  remove(key: string, owner: T): void {
    const owners = this.#owners.get(key);
    if (owners?.delete(owner) === true && owners.size === 0) this.#owners.delete(key);
  }

  of(key: string): readonly T[] {
    return [...(this.#owners.get(key) ?? [])];
  }

  clear(): void {
    this.#owners.clear();
  }
}
