/** A number, or a percentage of a whole: `25%` (k8s.io/apimachinery/pkg/util/intstr). */
export function share(value: number | string | undefined, whole: number, round: 'up' | 'down'): number {
  if (value === undefined) return 0;
  if (typeof value === 'number') return value;
  const part = (Number.parseInt(value, 10) * whole) / 100;
  return round === 'up' ? Math.ceil(part) : Math.floor(part);
}
