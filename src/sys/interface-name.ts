/**
 * Checks a network interface's name by the kernel's rule (`dev_valid_name`), and refuses `%`, which would make the
 * kernel number the device itself.
 *
 * @returns `name`.
 * @throws RangeError unless it is 1 to 15 bytes without `/`, `:`, `%` or white space, and not `.` or `..`.
 */
export function checkInterfaceName(name: string): string {
  const length = Buffer.byteLength(name);
  if (length < 1 || length > 15 || /[/:%\s\0]/.test(name) || name === '.' || name === '..') {
    throw new RangeError(`not a network interface name: ${JSON.stringify(name)}`);
  }
  return name;
}
