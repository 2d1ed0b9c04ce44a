/**
 * Where this code runs from. The build puts modules together into few files, so that a process starts in half the time:
 * a module's own place says nothing, only that of the tree that it is part of.
 */
const [, packageRoot, tree] = /^(.*\/)(dist|src)\//.exec(import.meta.url)!;

/** A program of ours, to be run by Node: `nodes/main.cjs`. */
export function programUrl(file: string): URL {
  return new URL(`${packageRoot}${tree}/${file}`);
}

/** A file of the package: `package.json`. */
export function packageUrl(path: string): URL {
  return new URL(`${packageRoot}${path}`);
}
