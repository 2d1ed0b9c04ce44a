/** Faults of kernels that are out there, by their version. */

/**
 * Does this kernel spoil UDP superframes whose last segment is as long as the others? Linux 7.0 to 7.1.4 do (b10b446,
 * mended by 78effd8 and 5f17ae0).
 *
 * @param release as `uname -r` says it.
 */
export function manglesUdpSuperframes(release: string): boolean {
  const [major, minor, patch] = release.split(/[.-]/).map(Number);
  return major === 7 && (minor === 0 || (minor === 1 && (patch ?? 0) <= 4));
}
