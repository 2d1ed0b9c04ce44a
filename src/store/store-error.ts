import type { Resource } from './resources.ts';

/** HTTP status of each reason, as k8s.io/apimachinery/pkg/api/errors has them. */
const statusCodes = {
  Forbidden: 403,
  NotFound: 404,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  BadRequest: 400,
} as const;

/** A request that the store refuses, in the API server's words. */
export class StoreError extends Error {
  readonly reason: keyof typeof statusCodes;
  /** HTTP status. */
  readonly code: number;

  constructor(reason: keyof typeof statusCodes, message: string) {
    super(message);
    this.name = 'StoreError';
    this.reason = reason;
    this.code = statusCodes[reason];
  }
}

/** `pods "web"`, `deployments.apps "web"`. */
export function described(resource: Resource, name: string): string {
  const group = resource.apiVersion.includes('/') ? `.${resource.apiVersion.split('/')[0]}` : '';
  return `${resource.plural}${group} "${name}"`;
}
